"""`slipway promote`: what is to be served, as a deployment, and the playbook that brings it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import click

from ops import candidate, promotion, store, terminal
from ops.compiling import Mode
from ops.errors import reported
from ops.rollout import settings, trial
from ops.rollout.begin import refuse_if_locked
from ops.stacks import transfer
from ops.stacks.other import Other
from ops.steps import Steps
from ops.store import Store
from ops.verbs import trials
from ops.verbs.common import compile_option, json_option, verb
from ops.verbs.rollouts import roll
from ops.verbs.trials import on_trial

MODELS = "NAME@ALIAS|NAME/VERSION…"


@dataclass(frozen=True, kw_only=True)
class Asked:
    """The options, named as click names them. `canary` is as it was written, `mode` None for what is served now."""

    models: tuple[str, ...]
    release_digest: str | None
    build: bool
    breaking: bool
    mode: Mode | None
    canary: str | None
    shadow: bool
    origin: str | None
    finish: bool
    abort: bool
    reason: str | None

    @property
    def named(self) -> Sequence[object]:
        """What says which deployment is to be made."""
        return (*self.models, self.release_digest, self.build, self.breaking, self.mode)

    def check(self) -> None:
        """Raises `click.UsageError` for options that contradict each other, or leave open what is wanted."""
        trials.refuse_wrong_words(
            canary=self.canary, shadow=self.shadow, finish=self.finish, abort=self.abort, named=self.named
        )
        if self.origin and (any(self.named) or self.finish or self.abort):
            raise click.UsageError("--from brings a whole deployment: name nothing else")
        wanted = (self.models, self.release_digest, self.canary, self.shadow, self.origin, self.finish, self.abort)
        if not any(wanted):
            raise click.UsageError(f"name what to promote: {MODELS}, or --release SHA256")

    def why(self, percent: int | None) -> str:
        """For the history: the reason, or else the command."""
        words = [
            "promote",
            *(["--from", self.origin] if self.origin else []),
            *self.models,
            *([f"release {self.release_digest[:12]}"] if self.release_digest else []),
        ]
        return self.reason or " ".join([*words, *trials.words(percent, finish=self.finish)])


@verb(
    "promote",
    "slipway promote diabetes@champion",
    "slipway promote diabetes/4 iris@champion",
    "slipway promote --release 3f0c…           the models as they are, with other server code",
    "slipway promote diabetes@champion --build  with a release made for it, if it needs one",
    "slipway promote diabetes/4 --canary 5%     a share of the predictions only; again with 25% for more",
    "slipway promote diabetes/4 --shadow        copies of the predictions only, and its answers compared",
    "slipway promote --from dev                 what that stack serves, the same bytes",
    "slipway promote --finish                   what is on trial gets everything; --abort: nothing",
)
@click.argument("models", nargs=-1, metavar=MODELS)
@click.option("--release", "release_digest", metavar="SHA256", help="Another server release than the fleet's.")
@click.option("--build", is_flag=True, help="Build a release, where the model was logged with what this one has not.")
@click.option("--breaking", is_flag=True, help="The models may break the callers of the versions before them.")
@compile_option(default=None)
@click.option("--canary", metavar="PERCENT", help="Give it this share of the predictions: 1, 5, 10, 25 or 50%.")
@click.option("--shadow", is_flag=True, help="Give it copies of all predictions, and compare its answers.")
@click.option("--from", "origin", metavar="STACK|CHECKOUT", help="The deployment that this other stack serves.")
@click.option("--finish", is_flag=True, help="Roll out what is on trial.")
@click.option("--abort", is_flag=True, help="End what is on trial, on all nodes at once.")
@click.option("--reason", help="For the history.")
@json_option
def promote(*, as_json: bool, **options: Any) -> None:
    """Rolls out these models and keeps everything else that is served.

    Makes the deployment and runs playbooks/deploy.yml to its end: all nodes serve it then, or all serve what they
    served. With --canary or --shadow it runs beside what serves, by playbooks/trial.yml, until --finish or --abort.
    With --from it is another stack's whole deployment, digest for digest: models, release and all.
    """
    asked = Asked(**options)
    asked.check()
    with reported("slipway promote"):
        percent = trial.percentage(asked.canary, shadow=asked.shadow)
        at, steps = store.current(), Steps()
        refuse_if_locked(at)
        if asked.abort:
            ended = trials.abort(at, steps, asked.reason or "promote --abort")
            if as_json:
                terminal.as_json({"deployment": at.pointer(), "ended": ended})
            return
        if percent is None and not asked.finish:
            trial.refuse_another(at, None)
        made = _deployment(at, steps, asked)
        if asked.origin and percent is None and made == at.pointer():
            steps.line(f"     deployment {made} is served already")
            return
        extra = {"deployment": made, "reason": asked.why(percent), **trials.variables(percent)}
        roll(at, steps, "deploy.yml" if percent is None else "trial.yml", extra, as_json)


def _deployment(at: Store, steps: Steps, asked: Asked) -> str:
    """The id of what is to be rolled out: another stack's, a new one, or the one on trial."""
    if asked.origin:
        return _brought(at, steps, asked.origin)
    if asked.models or asked.release_digest:
        return _made(at, steps, asked)
    return on_trial(at)


def _brought(at: Store, steps: Steps, origin: str) -> str:
    """The other stack's deployment, in this one's bucket."""
    with steps.step("transfer") as step:
        made = transfer.bring(at, Other.named(origin), None, step.say)
        step.done(f"deployment {made}, digest for digest")
    return made


def _made(at: Store, steps: Steps, asked: Asked) -> str:
    """The deployment of these models and what else is served."""
    with steps.step("deployment") as step:
        bounds = settings.current()
        plan = promotion.plan(
            at,
            asked.models,
            asked.release_digest,
            breaking=asked.breaking,
            mode=asked.mode,
            require_example=bounds.require_example,
            progress=step.say,
        )
        made = promotion.make(at, plan, step.say, build=asked.build or bounds.build_releases)
        step.done(made)
    for note in candidate.unchecked(at.manifest(made)):
        steps.line(f"     not checked: {note}")
    return made

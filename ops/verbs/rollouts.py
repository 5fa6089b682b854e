"""`slipway promote` and `slipway rollback`: the playbooks that a person would run, and what came of them."""

import json
import os
import sys
from collections.abc import Mapping
from pathlib import Path

import click

from ops import cache, candidate, promotion, store, terminal
from ops.compiling import Mode
from ops.delivery import watcher
from ops.errors import UserError, reported
from ops.follow import follow
from ops.rollout import settings, trial
from ops.rollout.begin import refuse_if_locked
from ops.rollout.history import History
from ops.run import CommandError
from ops.steps import Steps
from ops.store import Store
from ops.verbs import trials
from ops.verbs.common import compile_option, json_option, verb
from ops.verbs.trials import on_trial

ROOT = Path(__file__).resolve().parents[2]
TOOLS = Path(sys.executable).parent
MODELS = "NAME@ALIAS|NAME/VERSION…"


@verb(
    "promote",
    "slipway promote diabetes@champion",
    "slipway promote diabetes/4 iris@champion",
    "slipway promote --release 3f0c…           the models as they are, with other server code",
    "slipway promote diabetes@champion --build  with a release made for it, if it needs one",
    "slipway promote diabetes/4 --canary 5%     a share of the predictions only; again with 25% for more",
    "slipway promote diabetes/4 --shadow        copies of the predictions only, and its answers compared",
    "slipway promote --finish                   what is on trial gets everything; --abort: nothing",
)
@click.argument("models", nargs=-1, metavar=MODELS)
@click.option("--release", "release_digest", metavar="SHA256", help="Another server release than the fleet's.")
@click.option("--build", is_flag=True, help="Build a release, where the model was logged with what this one has not.")
@click.option("--breaking", is_flag=True, help="The models may break the callers of the versions before them.")
@compile_option(default=None)
@click.option("--canary", metavar="PERCENT", help="Give it this share of the predictions: 1, 5, 10, 25 or 50%.")
@click.option("--shadow", is_flag=True, help="Give it copies of all predictions, and compare its answers.")
@click.option("--finish", is_flag=True, help="Roll out what is on trial.")
@click.option("--abort", is_flag=True, help="End what is on trial, on all nodes at once.")
@click.option("--reason", help="For the history.")
@json_option
def promote(
    *,
    models: tuple[str, ...],
    release_digest: str | None,
    build: bool,
    breaking: bool,
    mode: Mode | None,
    canary: str | None,
    shadow: bool,
    finish: bool,
    abort: bool,
    reason: str | None,
    as_json: bool,
) -> None:
    """Rolls out these models and keeps everything else that is served.

    Makes the deployment and runs playbooks/deploy.yml: all nodes serve it at the end, or all serve what they served.
    With --canary or --shadow it runs beside what serves, by playbooks/trial.yml, until --finish or --abort.
    """
    named = (*models, release_digest, build, breaking, mode)
    trials.refuse_wrong_words(canary=canary, shadow=shadow, finish=finish, abort=abort, named=named)
    if not (models or release_digest or canary or shadow or finish or abort):
        raise click.UsageError(f"name what to promote: {MODELS}, or --release SHA256")
    with reported("slipway promote"):
        percent = trial.percentage(canary, shadow=shadow)
        at, steps = store.current(), Steps()
        refuse_if_locked(at)
        if abort:
            ended = trials.abort(at, steps, reason or "promote --abort")
            if as_json:
                terminal.as_json({"deployment": at.pointer(), "ended": ended})
            return
        if percent is None and not finish:
            trial.refuse_another(at, None)
        if models or release_digest:
            made = _made(at, steps, models, release_digest, breaking=breaking, build=build, mode=mode)
        else:
            made = on_trial(at)
        words = ["promote", *models, *([f"release {release_digest[:12]}"] if release_digest else [])]
        extra = {"deployment": made, "reason": reason or " ".join([*words, *trials.words(percent, finish=finish)])}
        _roll(at, steps, "deploy.yml" if percent is None else "trial.yml", extra | trials.variables(percent), as_json)


def _made(
    at: Store,
    steps: Steps,
    models: tuple[str, ...],
    release_digest: str | None,
    *,
    breaking: bool,
    build: bool,
    mode: Mode | None,
) -> str:
    """The deployment of these models and what else is served."""
    with steps.step("deployment") as step:
        bounds = settings.current()
        plan = promotion.plan(
            at,
            models,
            release_digest,
            breaking=breaking,
            mode=mode,
            require_example=bounds.require_example,
            progress=step.say,
        )
        made = promotion.make(at, plan, step.say, build=build or bounds.build_releases)
        step.done(made)
    for note in candidate.unchecked(at.manifest(made)):
        steps.line(f"     not checked: {note}")
    return made


@verb("rollback", "slipway rollback", "slipway rollback 3f2a9c1b7d20")
@click.argument("deployment_id", required=False, metavar="[ID]")
@click.option("--reason", help="For the history.")
@json_option
def rollback(deployment_id: str | None, reason: str | None, as_json: bool) -> None:
    """Brings every node back to the deployment before, or to ID: all at once, by playbooks/rollback.yml."""
    with reported("slipway rollback"):
        at = store.current()
        extra = {"deployment": deployment_id, "reason": reason}
        _roll(at, Steps(), "rollback.yml", {key: value for key, value in extra.items() if value}, as_json)


def _roll(at: Store, steps: Steps, playbook: str, extra: Mapping[str, str], as_json: bool) -> None:
    """Runs the playbook with its headings as progress, and tells what the history says of it."""
    log = cache.folder("log") / f"{playbook.removesuffix('.yml')}.log"
    before = next(iter(History(at).newest_first()), None)
    with steps.step(playbook.removesuffix(".yml")) as step:
        try:
            follow(command(playbook, extra), watcher(step.say), log=log, cwd=ROOT, env=environment())
        except CommandError as error:
            reason = _why(at, before.rollout if before else "", log) or error.message
            raise UserError(reason, "`slipway status` shows what serves, `slipway history` what was tried") from error
        step.done(trials.begun(at) if playbook == "trial.yml" else f"deployment {at.pointer()}")
    record = next(iter(History(at).newest_first()), None)
    if as_json:
        terminal.as_json({"deployment": at.pointer(), "trial": trial.read(at), "rollout": record})


def command(playbook: str, extra: Mapping[str, str]) -> list[str]:
    """Variables go as JSON, so that a reason may be any text."""
    program = TOOLS / "ansible-playbook"
    name = str(program) if program.exists() else "ansible-playbook"
    return [name, f"playbooks/{playbook}", *(["-e", json.dumps(extra)] if extra else [])]


def environment() -> dict[str, str]:
    """What Ansible needs of `.slipway/env`, for a shell that has not read it: this Python, and the configuration."""
    config = os.environ.get("ANSIBLE_CONFIG") or str(ROOT / "playbooks" / "ansible.cfg")
    return {"ANSIBLE_CONFIG": config, "PATH": f"{TOOLS}{os.pathsep}{os.environ.get('PATH', '')}"}


def _why(at: Store, before: str, log: Path) -> str:
    """What the history says, if this rollout came as far as that."""
    record = next(iter(History(at).newest_first()), None)
    if record is None or record.rollout == before or not record.why:
        return ""
    return f"{record.outcome}: {record.why} (all that Ansible said is in {log})"

"""`slipway promote` with `--canary`, `--shadow`, `--finish` and `--abort`: a candidate beside what serves."""

from collections.abc import Sequence

import click

from ops.errors import UserError
from ops.rollout import reach, trial
from ops.rollout.begin import operator
from ops.steps import Steps
from ops.store import Store


def refuse_wrong_words(*, canary: str | None, shadow: bool, finish: bool, abort: bool, named: Sequence[object]) -> None:
    """Raises `click.UsageError` for options that contradict each other."""
    given = {"--canary": bool(canary), "--shadow": shadow, "--finish": finish, "--abort": abort}
    asked = [option for option, is_given in given.items() if is_given]
    if len(asked) > 1:
        raise click.UsageError(f"{' and '.join(asked)} are different things: give one")
    if (finish or abort) and any(named):
        raise click.UsageError(f"{asked[0]} is about what is on trial: name nothing else")


def on_trial(at: Store) -> str:
    """The deployment whose traffic is to change. Raises `UserError` when there is none."""
    return trial.required(at).deployment


def words(percent: int | None, *, finish: bool) -> list[str]:
    """For the history."""
    if percent is None:
        return ["--finish"] if finish else []
    return ["--canary", f"{percent}%"] if percent else ["--shadow"]


def variables(percent: int | None) -> dict[str, str]:
    """For the playbook."""
    if percent is None:
        return {}
    return {"canary": f"{percent}%"} if percent else {"shadow": "true"}


def begun(at: Store) -> str:
    """What came of it, for the board."""
    found = trial.required(at)
    compared = trial.in_words(found.answers)
    return f"deployment {found.deployment} gets {found.traffic}{f': {compared}' if compared else ''}"


def abort(at: Store, steps: Steps, reason: str) -> trial.Trial | None:
    """Returns what was on trial. Raises `UserError` when a node could not be told."""
    with steps.step("abort") as step:
        found, left = trial.abort(at, reach.current(), operator(), reason)
        step.done(f"deployment {found.deployment} gets nothing more" if found else "nothing was on trial")
    if left:
        raise UserError(
            f"nothing is on trial any more, but not told: {'; '.join(left)}", "they ask by themselves within minutes"
        )
    return found

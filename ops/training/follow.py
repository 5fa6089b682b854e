"""After the alias: what the fleet makes of it, by the tags that the watcher writes on the version.

A version that the fleet does not take loses the alias again, to the champion before it: the alias says what is served,
and the next candidate is to be compared with that.
"""

import time
from collections.abc import Mapping

from mlflow.exceptions import MlflowException

from contract import S3
from ops import store
from ops.errors import UserError
from ops.rollout import settings
from ops.rollout.objects import Objects
from ops.rollout.settings import Delivery
from ops.training.book import first_line
from ops.training.steps import CHAMPION, NONE, VERSION, Training, champion_of
from ops.watcher.wish import Status

STATUS, DEPLOYMENT, REASON = "slipway.status", "slipway.deployment", "slipway.reason"
SERVED = "slipway.served"
"""Tag of a training: the deployment by which its version came to the fleet."""
POLL_SECONDS = 2.0
PATIENCE_SECONDS = 1800
"""For the deployment's making, the lock of another rollout and the nodes, beside what the stack's settings wait."""
FAILED = (Status.REFUSED, Status.ROLLED_BACK)


def follow(training: Training) -> str:
    """Waits for the rollout's end. Raises `UserError` when the fleet did not take the version."""
    if not training.decision.promotes:
        return "nothing: the alias did not move"
    version, bounds = training.book.need(VERSION, "register"), settings.current()
    if reason := bounds.unfollowed(training.model):
        return f"nothing is rolled out: {reason}"
    tags = _ended(training, version, bounds)
    status = tags[STATUS]
    if status in FAILED:
        back = _give_back(training, version, bounds.alias)
        raise UserError(f"the fleet did not take version {version} ({status}): {tags.get(REASON)}; {back}")
    training.book.tell({SERVED: tags.get(DEPLOYMENT, "")})
    if status == Status.RETIRED:
        return f"version {version} was served, and another has taken its place since"
    return f"deployment {tags.get(DEPLOYMENT)} serves version {version}"


def _ended(training: Training, version: str, bounds: Delivery) -> Mapping[str, str]:
    """The version's tags, when they say that it is over. Raises `UserError`."""
    patience = PATIENCE_SECONDS + bounds.bake_seconds + bounds.watch_seconds
    deadline = time.monotonic() + patience
    trouble = ""
    while True:
        try:
            found = training.book.client.get_model_version(training.model, version)
            tags: dict[str, str] = dict(found.tags)
            status, trouble = tags.get(STATUS, ""), ""
            if status and status != Status.ROLLING:
                return tags
            if not status:
                _refuse_moved(training, version, bounds.alias)
            training.say(status or "the watcher has not seen it yet")
        except MlflowException as error:
            trouble = f" (MLflow: {first_line(error)})"
        if time.monotonic() > deadline:
            raise UserError(
                f"the rollout of version {version} has not ended after {patience} s{trouble or _paused()}",
                "run the step again to go on waiting; `slipway status` and `slipway lock show` say what holds it",
            )
        time.sleep(POLL_SECONDS)


def _refuse_moved(training: Training, version: str, alias: str) -> None:
    now = champion_of(training)
    if now is None or str(now.version) != version:
        raise UserError(
            f"{alias} was taken from version {version} before the fleet had seen it",
            "nothing was rolled out by this run; train again, or set the alias by hand",
        )


def _paused() -> str:
    found = Objects(store.current()).read(S3.paused)
    return " (following is paused: `slipway resume`)" if found else ""


def _give_back(training: Training, version: str, alias: str) -> str:
    """The alias as it was before this run, unless somebody has moved it since."""
    now, before = champion_of(training), training.book.need(CHAMPION, "evaluate")
    if now is None or str(now.version) != version:
        return f"{alias} is elsewhere already"
    if before == NONE:
        training.book.client.delete_registered_model_alias(training.model, alias)
        return f"{alias} is taken from it"
    training.book.client.set_registered_model_alias(training.model, alias, before)
    return f"{alias} is at version {before} again"

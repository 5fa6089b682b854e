"""What came of an alias, waited for from outside the watcher: by its book, not by the tags that it writes in MLflow.

A version that carried the alias before has the tags of that time until the watcher sees it again; the book says for
which wish each outcome was.
"""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

from ops.errors import UserError
from ops.watcher import wish
from ops.watcher.book import Page
from ops.watcher.wish import Done, Served, Status

POLL_SECONDS = 2.0


class World(Protocol):
    """What of the watcher's world is to be seen. Each may raise `UserError`, and says then why it cannot be."""

    def wanted(self) -> dict[str, str]: ...
    def served(self) -> Served: ...
    def read(self) -> Page: ...
    def paused(self) -> str: ...
    def locked(self) -> str: ...


class NotEndedError(UserError):
    """It is under way still, or waits for its turn."""

    status = 3


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """Of the alias of a model, as it was at `version`. `status` is deployed, refused or rolled-back."""

    model: str
    alias: str
    version: str
    status: Status
    deployment: str
    reason: str

    @property
    def well(self) -> bool:
        return self.status is Status.DEPLOYED


def came_of(model: str, wanted: Mapping[str, str], served: Served, page: Page) -> Done:
    """What the watcher has made of the wish for this model; `Status.ROLLING` until it is done with it."""
    version = wanted[model]
    if page.attempt is not None and page.attempt.changed.get(model) == version:
        return Done(version, Status.ROLLING, page.attempt.deployment)
    ledger = wish.observed(wanted, served, page.ledger)
    if wish.target(wanted, served, ledger).get(model) != served.models.get(model):
        return Done(version, Status.ROLLING)
    return ledger[model]


def wait(
    world: World,
    model: str,
    alias: str,
    say: Callable[[str], None],
    seconds: float,
    *,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> Outcome:
    """Until the fleet serves the version that carries the alias, or is known not to; an alias that moves is followed.

    What cannot be asked at first is an error, what cannot be asked later is asked again. Raises `UserError`.
    """
    deadline, seen, doing = clock() + seconds, False, ""
    while True:
        try:
            page = world.read()  # before what is served: an outcome is in it first
            wanted, served = world.wanted(), world.served()
        except UserError as error:
            if not seen:
                raise
            doing = error.message
        else:
            seen = True
            if model not in wanted:
                raise UserError(f"no version of {model} has the alias {alias}", "`slipway status` shows the aliases")
            done = came_of(model, wanted, served, page)
            if done.status is not Status.ROLLING:
                about = {"version": done.version, "deployment": done.deployment, "reason": done.reason}
                return Outcome(model=model, alias=alias, status=done.status, **about)
            doing = f"version {done.version} {_doing(world, done)}"
        say(doing)
        if clock() >= deadline:
            raise NotEndedError(
                f"{model}@{alias} has not come to an end within {seconds:g} s: {doing}",
                "wait again; `slipway status` and `slipway lock show` say what holds it",
            )
        sleep(POLL_SECONDS)


def _doing(world: World, done: Done) -> str:
    if done.deployment:
        return f"is rolled out, by deployment {done.deployment}"
    try:
        hindrance = world.paused() or world.locked()
    except UserError as error:
        hindrance = error.message
    return f"waits: {hindrance}" if hindrance else "is taken up, and its deployment made"

"""The watcher's side: looks for an order, has it built and rolled out, and writes down what came of it.

One at a time, the oldest first, and never beside another rollout. A watcher that was killed finds the order taken and
without an outcome, and carries it out again: a release is named by what it holds, and what is served already is not
rolled out.
"""

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Protocol, TextIO, cast

from botocore.exceptions import BotoCoreError, ClientError

from ops.errors import UserError
from ops.orders.box import LOG_BYTES, WITHDRAWN, Box
from ops.orders.order import Order, Outcome, WrongError, refused
from ops.push.pushes import LIVE
from ops.push.repository import SHORT
from ops.rollout.history import Record
from ops.steps import StepError, Steps
from ops.watcher.children import UNREACHABLE, Rolled, TroubleError
from ops.watcher.events import say
from ops.watcher.loop import FAILED, TRIES
from ops.watcher.patience import Backoff

LOOK_SECONDS = 5.0
MORE = "     the rest is in the journal of slipway-watcher\n"


class NotTakenError(UserError):
    """The order is to blame, or the fleet has said no."""


@dataclass(frozen=True)
class Built:
    """A deployment in the bucket, or why there is none."""

    deployment: str = ""
    release: str = ""
    refused: str = ""


class World(Protocol):
    """Each may raise `UserError`, and says then why it cannot now."""

    def hindrance(self) -> str: ...
    def pointer(self) -> str: ...
    def rollouts(self) -> Iterable[Record]: ...
    def make(self, name: str, hear: Callable[[str], None]) -> Built: ...
    def roll(self, deployment: str, reason: str, by: str, hear: Callable[[str], None]) -> Rolled: ...


class Log:
    """What of a text stream a board of steps asks for: each line is in the bucket at once, as far as there is room."""

    def __init__(self, box: Box, name: str) -> None:
        self._box, self._name, self._text = box, name, box.log(name)

    def write(self, text: str) -> int:
        if len(self._text.encode()) < LOG_BYTES:
            self._text += text
        elif not self._text.endswith(MORE):
            self._text += MORE
        return len(text)

    def flush(self) -> None:
        """Nobody waits for a bucket that is away: the next line brings this one, too."""
        try:
            self._box.write_log(self._name, self._text)
        except UserError as error:
            say("unsaid", order=self._name, message=error.message)

    def isatty(self) -> bool:
        return False


@dataclass
class Taker:
    box: Box
    world: World
    clock: Callable[[], float] = time.monotonic
    _next: float = 0.0
    _said: str = ""
    _tries: dict[str, int] = field(default_factory=dict)
    _backoff: Backoff = field(default_factory=Backoff)

    def turn(self) -> None:
        """One look, and what follows from it. What cannot be had is waited for, and said once."""
        now = self.clock()
        if now < self._next or not self._backoff.ready(now):
            return
        self._next = now + LOOK_SECONDS
        try:
            for name in self.box.open()[:1]:
                self._look(name)
        except (UserError, BotoCoreError, ClientError) as error:
            if self._backoff.met(str(error), self.clock()):
                say("waiting", message=getattr(error, "message", str(error)))
        else:
            self._backoff.over()

    def _look(self, name: str) -> None:
        why = self.world.hindrance()
        if why and why != self._said:
            say("waiting", order=name, message=why)
        self._said = why
        if why:
            return
        try:
            if self.box.take(name):
                self._carry_out(name)
            elif self.box.claim(name) == WITHDRAWN:
                self._end(name, refused("it was withdrawn before anybody began with it"))
        except WrongError as error:
            self._end(name, refused(f"the order cannot be read: {error.message}"))

    def _carry_out(self, name: str) -> None:
        wanted = self.box.order(name)
        if wanted is None:
            return
        say("ordered", order=name, by=wanted.by, reason=wanted.reason)
        steps = Steps(cast(TextIO, Log(self.box, name)))
        try:
            outcome = self._done(name, wanted, steps)
        except StepError as error:
            if not isinstance(error.__cause__, NotTakenError):
                self._troubled(name, error, steps)
            outcome = refused(error.message)
        self._end(name, outcome)

    def _done(self, name: str, wanted: Order, steps: Steps) -> Outcome:
        """Raises `StepError`, by a `NotTakenError` when trying again would not help."""
        with steps.step("release") as step:
            built = self.world.make(name, step.say)
            if built.refused:
                raise NotTakenError(built.refused)
            step.done(f"release {built.release[:12]}, deployment {built.deployment}")
        about = {"outcome": LIVE, "release": built.release, "deployment": built.deployment}
        if built.deployment == self.world.pointer():
            why = f"release {built.release[:12]} is served already, in deployment {built.deployment}"
            return Outcome(**about, why=why)
        newest = next(iter(self.world.rollouts()), None)
        with steps.step("deploy") as step:
            rolled = self.world.roll(built.deployment, wanted.reason, wanted.by, step.say)
            if not rolled.ok:
                raise self._failed(built.deployment, newest.rollout if newest else "", rolled)
            step.done(f"deployment {built.deployment}")
        return Outcome(**about, why=f"release {built.release[:12]} is served")

    def _failed(self, deployment: str, before: str, rolled: Rolled) -> UserError:
        """By what the history says: a rollout that is not in it has not begun."""
        for record in self.world.rollouts():
            if record.rollout <= before:
                break
            if record.deployment == deployment and record.outcome in FAILED and rolled.status != UNREACHABLE:
                return NotTakenError(f"{record.outcome}: {record.why}")
        return TroubleError(rolled.last_lines)

    def _troubled(self, name: str, error: StepError, steps: Steps) -> None:
        """Tried again a few times, each after a longer pause: then raises it."""
        self._tries[name] = self._tries.get(name, 0) + 1
        if self._tries[name] < TRIES:
            steps.line(f"     it is tried again: {error.message}")
            raise error

    def _end(self, name: str, outcome: Outcome) -> None:
        self.box.end(name, outcome)
        self._tries.pop(name, None)
        say("order", order=name[:SHORT], outcome=outcome.outcome, reason=outcome.why, deployment=outcome.deployment)

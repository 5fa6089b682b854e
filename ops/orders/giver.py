"""The pipeline node's side: puts an order into the bucket and follows it to its end.

It may end at any point. The same push finds its order again, and begins another one only when that has come to an end:
what was live then need not be so now, and what is served already is not rolled out again.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path

from ops.errors import UserError
from ops.orders import order as orders
from ops.orders import pack
from ops.orders.box import WITHDRAWN, Box
from ops.orders.order import Order, Outcome
from ops.push.pushes import LIVE
from ops.push.repository import SHORT
from ops.rollout import hindrance, settings
from ops.watcher.patience import Backoff

POLL_SECONDS = 2.0
TAKING_SECONDS = 1800.0
"""As long as a training waits for the fleet to follow its alias."""
CARRYING_SECONDS = 3 * 3600.0
"""A release that is built, tried again while the index is away, and rolled out to a large fleet."""
NO_WATCHER = (
    "this node trains, and has no key for the fleet: the tracking node carries out a release that is pushed here only "
    "where an alias is followed (delivery.followAlias); else push it to a repository that `slipway push init` made on "
    "an operator's machine"
)


def refusal() -> str:
    """Why no order is taken in this stack, if none is. Raises `UserError`."""
    return "" if settings.current().follow_alias else NO_WATCHER


@dataclass
class Giver:
    """`say` prints a line for the pusher."""

    box: Box
    say: Callable[[str], None]
    clock: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep
    _shown: int = 0
    _said: str = ""
    _trouble: Backoff = field(default_factory=Backoff)

    def carried_out(self, wanted: Order, tree: Path) -> str:
        """What is live then. Raises `UserError` when the fleet did not take it."""
        packed, digest = pack.pack(tree, wanted.modules) if wanted.modules else (b"", "")
        name = self._given(Order(**{**vars(wanted), "tree": digest}), packed)
        self.say(f"ordered from the tracking node, as {name[:SHORT]}{name[40:]}")
        outcome = self._followed(name)
        if outcome.outcome != LIVE:
            raise UserError(outcome.why, "the fleet serves what it served before: put it right and push again")
        return outcome.why

    def _given(self, wanted: Order, packed: bytes) -> str:
        """The name of the order that is under way for this, or of a new one."""
        for attempt in count(1):
            name = orders.name(wanted.commit, attempt)
            try:
                there = self.box.order(name)
                if there is None:
                    self.box.give(name, wanted, packed)
                    return name
                over = self.box.outcome(name) is not None or self.box.claim(name) == WITHDRAWN
            except orders.WrongError:
                continue
            if there.wants(wanted) and not over:
                return name
        raise AssertionError("there is always another attempt")

    def _followed(self, name: str) -> Outcome:
        """What became of it. Raises `UserError` when nobody takes it up, or it does not end."""
        taken, deadline = False, self.clock() + TAKING_SECONDS
        while True:
            outcome, now_taken = self._looked(name)
            if outcome:
                return outcome
            if now_taken and not taken:
                taken, deadline = True, self.clock() + CARRYING_SECONDS
            if self.clock() >= deadline:
                if taken:
                    told = f"the order has not come to an end within {CARRYING_SECONDS / 3600:g} hours"
                    raise UserError(told, "push again to go on waiting; `slipway history` shows what was rolled out")
                if self.box.withdraw(name):
                    told = f"the tracking node has not begun within {TAKING_SECONDS / 60:g} minutes: {self._said}"
                    raise UserError(told, "nothing was changed; `slipway status` shows the watcher; push again")
            self.sleep(POLL_SECONDS)

    def _looked(self, name: str) -> tuple[Outcome | None, bool]:
        """Passes on what is new, and says what is waited for. A bucket that is away is asked again."""
        try:
            outcome = self.box.outcome(name)  # before the log, which is whole then
            self._pass_on(self.box.log(name), whole=outcome is not None)
            taken = outcome is not None or self.box.taken(name)
            if not taken:
                why = hindrance.paused(self.box.at) or hindrance.rolling(self.box.at)
                self._wait_for(why or "it has not been taken up yet")
        except orders.WrongError as error:
            raise UserError(f"the tracking node's answer cannot be read: {error.message}", error.hint) from error
        except UserError as error:
            if self._trouble.met(error.message, self.clock()):
                self.say(f"waiting: {error.message}")
            return None, False
        self._trouble.over()
        return outcome, taken

    def _pass_on(self, log: str, *, whole: bool) -> None:
        lines = log.split("\n")
        ready = lines if whole and lines[-1] else lines[:-1]
        for each in ready[self._shown :]:
            self.say(orders.printable(each))
        self._shown = max(self._shown, len(ready))

    def _wait_for(self, what: str) -> None:
        if what != self._said:
            self.say(f"waiting for the tracking node: {what}")
        self._said = what

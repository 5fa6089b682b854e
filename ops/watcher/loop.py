"""One look after another: what does the alias say, what is served, and what is to be done about the difference.

Nothing is done while the watcher is paused, while another rollout runs, or before the alias has come to rest. It asks
for the pointer only now and then while all is well, because a person may move that too.
"""

import time
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Protocol

from botocore.exceptions import BotoCoreError, ClientError

from ops.errors import UserError
from ops.rollout.history import Outcome, Record
from ops.watcher import wish
from ops.watcher.book import Attempt, Page
from ops.watcher.children import UNREACHABLE, Made, Rolled, TroubleError
from ops.watcher.events import say
from ops.watcher.patience import Backoff, Rest
from ops.watcher.registry import MissingError
from ops.watcher.wish import Served, Status, Verdict

POINTER_SECONDS = 10.0
TRIES = 3
"""How often a rollout is begun for the same wish when what fails need not be the model's fault."""
REASON_CHARACTERS = 1000
FAILED: Mapping[Outcome, Status] = {
    Outcome.REFUSED: Status.REFUSED,
    Outcome.REVERTED: Status.ROLLED_BACK,
    Outcome.RETURNED: Status.ROLLED_BACK,
}


class World(Protocol):
    """All that the watcher sees and does. Each may raise `UserError`, and says then why it cannot."""

    def wanted(self) -> dict[str, str]: ...
    def served(self) -> Served: ...
    def tag(self, name: str, version: str, tags: Mapping[str, str]) -> None: ...
    def read(self) -> Page: ...
    def write(self, page: Page) -> None: ...
    def paused(self) -> str: ...
    def locked(self) -> str: ...
    def rollouts(self) -> Iterable[Record]: ...
    def make(self, models: list[str], carrying: Collection[str]) -> Made: ...
    def roll(self, deployment: str, reason: str) -> Rolled: ...
    def prefetch(self) -> None: ...


@dataclass
class Watcher:
    world: World
    clock: Callable[[], float] = time.monotonic
    _rest: Rest = field(default_factory=Rest)
    _backoff: Backoff = field(default_factory=Backoff)
    _page: Page | None = None
    _served: Served | None = None
    _served_at: float = 0.0
    _told: dict[tuple[str, str], dict[str, str]] = field(default_factory=dict)
    _said: str = ""
    _tries: tuple[tuple[str, ...], int] = ((), 0)
    _fetched: str = ""

    def turn(self) -> None:
        """One look, and what follows from it. What cannot be had is waited for, and said once."""
        if not self._backoff.ready(self.clock()):
            return
        try:
            self._look()
        except (UserError, BotoCoreError, ClientError) as error:
            if self._backoff.met(str(error), self.clock()):
                say("waiting", message=getattr(error, "message", str(error)))
        else:
            if self._backoff.over():
                say("going on")

    def _look(self) -> None:
        page = self._page = self._page or self.world.read()
        if page.attempt is not None:
            return self._finish(page, page.attempt)
        wanted = self.world.wanted()
        rested = self._rest.reached(wanted, self.clock())
        served = self._current()
        goal = wish.target(wanted, served, wish.observed(wanted, served, page.ledger))
        if goal != served.models:
            served = self._current(anew=True)
        page = self._keep(replace(page, ledger=wish.observed(wanted, served, page.ledger)))
        goal = wish.target(wanted, served, page.ledger)
        self._tell(wanted, served, page)
        if goal == dict(served.models):
            return self._settled(served)
        if not goal:
            return self._say("no model carries the alias any more: the last one served is kept")
        if rested and not self._hindered():
            self._carry_out(goal, wish.labels(wanted), served, page)
        return None

    def _current(self, anew: bool = False) -> Served:
        if anew or self._served is None or self.clock() - self._served_at >= POINTER_SECONDS:
            self._served, self._served_at = self.world.served(), self.clock()
        return self._served

    def _keep(self, page: Page) -> Page:
        self.world.write(page)
        self._page = page
        return page

    def _settled(self, served: Served) -> None:
        self._say("")
        if served.models and self._fetched != served.release:
            self.world.prefetch()
            self._fetched = served.release

    def _hindered(self) -> bool:
        hindrance = self.world.paused() or self.world.locked()
        self._say(hindrance)
        return bool(hindrance)

    def _say(self, message: str) -> None:
        if message and message != self._said:
            say("waiting", message=message)
        self._said = message

    def _carry_out(self, goal: Mapping[str, str], carrying: Collection[str], served: Served, page: Page) -> None:
        changed, models = wish.changes(goal, served), wish.ordered(goal, served.default)
        say("wanted", models=models, changed=changed, instead_of=served.deployment)
        self._write_tags(wish.rolling(changed))
        try:
            made = self.world.make(models, carrying)
        except TroubleError as trouble:
            return self._troubled(page, changed, served, trouble)
        if made.refused:
            blamed = {made.model: changed[made.model]} if made.model in changed else changed
            return self._failed(page, blamed, served, Verdict(Status.REFUSED, made.refused))
        newest = next(iter(self.world.rollouts()), None)
        attempt = Attempt(made.deployment, served.release, changed, newest.rollout if newest else "")
        page = self._keep(replace(page, attempt=attempt))
        rolled = self.world.roll(made.deployment, f"the alias says {', '.join(models)}")
        say("rolled", deployment=made.deployment, status=rolled.status)
        return self._concluded(page, attempt, rolled)

    def _finish(self, page: Page, attempt: Attempt) -> None:
        """A rollout was under way when the watcher ended: it may be so still, for it is not the watcher's child."""
        if not self._hindered():
            say("found", deployment=attempt.deployment)
            self._concluded(page, attempt, None)

    def _concluded(self, page: Page, attempt: Attempt, rolled: Rolled | None) -> None:
        """By what the history says: a rollout that is not in it has not begun."""
        record = next((each for each in self.world.rollouts() if each.deployment == attempt.deployment), None)
        if record is not None and record.rollout <= attempt.after:
            record = None
        page = replace(page, attempt=None)
        served = self._current(anew=True)
        if record is not None and record.outcome in FAILED and not (rolled and rolled.status == UNREACHABLE):
            verdict = Verdict(FAILED[record.outcome], record.why, attempt.deployment)
            return self._failed(page, attempt.changed, served, verdict)
        if rolled is not None and not rolled.ok:
            why = record.why if record and record.why else rolled.last_lines
            return self._troubled(page, attempt.changed, served, TroubleError(why))
        self._tries = ((), 0)
        self._keep(replace(page, ledger=wish.carried_out(page.ledger, attempt.changed, served)))
        return None

    def _troubled(self, page: Page, changed: Mapping[str, str], served: Served, trouble: TroubleError) -> None:
        """Tried again a few times, each after a longer pause; then it is held against the wish."""
        wished = tuple(f"{name}/{version}" for name, version in sorted(changed.items()))
        count = self._tries[1] + 1 if self._tries[0] == wished else 1
        self._tries = (wished, count)
        if count >= TRIES:
            return self._failed(page, changed, served, Verdict(Status.REFUSED, trouble.message))
        self._keep(page)
        raise trouble

    def _failed(self, page: Page, changed: Mapping[str, str], served: Served, verdict: Verdict) -> None:
        self._tries = ((), 0)
        say(verdict.status.value, models=dict(changed), deployment=verdict.deployment, reason=verdict.reason)
        verdict = replace(verdict, reason=verdict.reason[:REASON_CHARACTERS])
        self._keep(replace(page, ledger=wish.failed(page.ledger, changed, served, verdict)))

    def _tell(self, wanted: Mapping[str, str], served: Served, page: Page) -> None:
        """Tags of every version that has something to say, and of those that are served no more."""
        tags = wish.tags(wanted, served, page.ledger)
        labels = tuple(sorted(f"{name}/{version}" for name, version in served.models.items()))
        for label in set(page.tagged) - set(labels):
            name, _, version = label.rpartition("/")
            tags.setdefault((name, version), wish.retired(served))
        self._write_tags(tags)
        self._keep(replace(page, tagged=labels))

    def _write_tags(self, tags: Mapping[tuple[str, str], dict[str, str]]) -> None:
        for (name, version), wanted in tags.items():
            if self._told.get((name, version)) == wanted:
                continue
            try:
                self.world.tag(name, version, wanted)
            except MissingError:
                say("untagged", model=name, version=version, message="there is no such version any more")
            self._told[name, version] = wanted

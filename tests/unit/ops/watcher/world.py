"""A world that is made up, for the watcher: MLflow, a fleet, and rollouts that end as the test says."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from ops.errors import UserError
from ops.rollout.history import Outcome, Record
from ops.watcher.book import Page, parse, rendered
from ops.watcher.children import Made, Rolled
from ops.watcher.registry import MissingError
from ops.watcher.wish import Served
from tests.unit.ops.rollouts import Killed, record


@dataclass
class World:
    """`outcomes` are how the next rollouts end; after them all go well. `now` is the clock's."""

    aliases: dict[str, str] = field(default_factory=dict)
    now: float = 0.0
    fleet: Served = field(default_factory=lambda: Served("d0", "r1", {}))
    outcomes: list[Any] = field(default_factory=list)
    refusals: list[Made] = field(default_factory=list)
    down: UserError | None = None
    pause: str = ""
    lock: str = ""
    book: dict[str, Any] = field(default_factory=lambda: rendered(Page()))
    tags: dict[str, dict[str, str]] = field(default_factory=dict)
    missing: set[str] = field(default_factory=set)
    history: list[Record] = field(default_factory=list)
    made: list[list[str]] = field(default_factory=list)
    followed: list[list[str]] = field(default_factory=list)
    statuses: list[str] = field(default_factory=list)
    fetched: int = 0

    def wanted(self) -> dict[str, str]:
        if self.down:
            raise self.down
        return dict(self.aliases)

    def served(self) -> Served:
        return self.fleet

    def tag(self, name: str, version: str, tags: Mapping[str, str]) -> None:
        if f"{name}/{version}" in self.missing:
            raise MissingError("gone")
        self.tags[f"{name}/{version}"] = dict(tags)
        self.statuses.append(f"{name}/{version} {tags['slipway.status']}")

    def read(self) -> Page:
        return parse(self.book)

    def write(self, page: Page) -> None:
        self.book = rendered(page)

    def paused(self) -> str:
        return self.pause

    def locked(self) -> str:
        return self.lock

    def rollouts(self) -> Iterable[Record]:
        return reversed(self.history)

    def make(self, models: list[str], carrying: Collection[str]) -> Made:
        self.made.append(models)
        self.followed.append([model for model in models if model in carrying])
        if self.refusals:
            return self.refusals.pop(0)
        return Made(f"d{len(self.made)}")

    def roll(self, deployment: str, reason: str) -> Rolled:
        outcome = self.outcomes.pop(0) if self.outcomes else Outcome.DONE
        if isinstance(outcome, Rolled):
            return outcome
        if outcome is Killed:
            raise Killed
        return self.ended(deployment, outcome)

    def ended(self, deployment: str, outcome: Outcome) -> Rolled:
        self.history.append(record(len(self.history), deployment, outcome, previous="d0", by="watcher"))
        if outcome is not Outcome.DONE:
            return Rolled(2, "fatal: a task failed")
        models = dict(label.split("/") for label in self.made[-1])
        self.fleet = Served(deployment, self.fleet.release, models, next(iter(models)))
        return Rolled(0, "")

    def prefetch(self) -> None:
        self.fetched += 1

    def status(self, label: str) -> str:
        return self.tags[label]["slipway.status"]

"""A fleet that is made up, for orders: what is built and rolled out ends as the test says."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

from ops.orders.taker import Built
from ops.rollout.history import Outcome, Record
from ops.watcher.children import Rolled
from tests.unit.ops.orders.conftest import DEPLOYMENT, RELEASE
from tests.unit.ops.rollouts import record

BUILT = Built(DEPLOYMENT, RELEASE)


@dataclass
class World:
    """`makings` and `rollings` are what comes of the next ones; after them all go well."""

    now: float = 0.0
    hindered: str = ""
    served: str = "aaaaaaaaaaaa"
    makings: list[Any] = field(default_factory=list)
    rollings: list[Any] = field(default_factory=list)
    history: list[Record] = field(default_factory=list)
    made: list[str] = field(default_factory=list)
    rolled: list[tuple[str, str, str]] = field(default_factory=list)

    def hindrance(self) -> str:
        return self.hindered

    def pointer(self) -> str:
        return self.served

    def rollouts(self) -> Iterable[Record]:
        return reversed(self.history)

    def make(self, name: str, hear: Callable[[str], None]) -> Built:
        self.made.append(name)
        hear("packing the release")
        built: Built = self._next(self.makings, BUILT)
        return built

    def roll(self, deployment: str, reason: str, by: str, hear: Callable[[str], None]) -> Rolled:
        self.rolled.append((deployment, reason, by))
        hear("Move every node")
        outcome = self._next(self.rollings, Outcome.DONE)
        if isinstance(outcome, Rolled):
            return outcome
        self.remember(deployment, outcome)
        if outcome is not Outcome.DONE:
            return Rolled(2, "fatal: a task failed")
        self.served = deployment
        return Rolled(0, "")

    def _next(self, outcomes: list[Any], usual: Any) -> Any:
        outcome = outcomes.pop(0) if outcomes else usual
        if isinstance(outcome, BaseException):
            raise outcome
        return outcome

    def remember(self, deployment: str, outcome: Outcome) -> None:
        number = len(self.history)
        self.history.append(record(number, deployment, outcome, previous="aaaaaaaaaaaa", by="ada@desk"))

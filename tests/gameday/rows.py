"""The rows of a game day: what is done to the fleet while the load goes on. Each leaves the fleet whole.

A row asserts what must be true of the fleet; what became of the requests is the table's to judge. Only where a machine
dies may some of them fail: those that were on their way to it.
"""

from collections.abc import Callable
from dataclasses import dataclass

from tests.gameday.day import Day


@dataclass(frozen=True)
class Row:
    name: str
    act: Callable[[Day], None]
    machine_dies: bool = False

    @property
    def title(self) -> str:
        return (self.act.__doc__ or self.name).strip().splitlines()[0].rstrip(".")


ROWS: dict[str, Row] = {}


def row(*, machine_dies: bool = False) -> Callable[[Callable[[Day], None]], Callable[[Day], None]]:
    def add(act: Callable[[Day], None]) -> Callable[[Day], None]:
        name = act.__name__.replace("_", "-")
        ROWS[name] = Row(name, act, machine_dies)
        return act

    return add

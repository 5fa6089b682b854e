"""The rows of a game day: what is done to the fleet while the load goes on. Each leaves the fleet whole.

A row asserts what must be true of the fleet; what became of the requests is the table's to judge. `allowed` is how many
of them may fail: only where a machine is killed, those that were on their way to it.
"""

from collections.abc import Callable
from dataclasses import dataclass

from tests.gameday.day import REASON, Day


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


def delivered(day: Day, version: str) -> None:
    """The version reaches every node."""
    day.move(version)
    assert day.outcome(version) == "deployed", day.tags(version)
    day.settled()


def returned(day: Day, version: str, status: str) -> None:
    """The version does not stay: every node serves what it served, and the tag says why."""
    before = day.pointer
    champion = day.client.get_model_version_by_alias("diabetes", "champion").version
    day.move(version)
    assert day.outcome(version) == status, day.tags(version)
    assert day.tags(version).get(REASON), "the tag says why"
    assert day.settled() == before
    day.client.set_registered_model_alias("diabetes", "champion", champion)


@row()
def good_model(day: Day) -> None:
    """A good model."""
    delivered(day, day.good(30))


@row()
def model_that_does_not_load(day: Day) -> None:
    """A model that does not load."""
    returned(day, day.faulty("does_not_load"), "refused")


@row()
def model_that_answers_wrongly(day: Day) -> None:
    """A model that loads and answers wrongly."""
    returned(day, day.faulty("answers_differently"), "refused")


@row()
def model_that_raises(day: Day) -> None:
    """A model that answers its example and raises on traffic."""
    returned(day, day.faulty("fails_on_traffic", how="raises"), "rolled-back")


@row()
def model_that_is_slow(day: Day) -> None:
    """A model that is slow on traffic."""
    returned(day, day.faulty("fails_on_traffic", how="slow"), "rolled-back")


@row()
def model_that_kills_its_worker(day: Day) -> None:
    """A model that kills its worker."""
    returned(day, day.faulty("fails_on_traffic", how="kills"), "rolled-back")

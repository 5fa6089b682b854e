"""Rows in which a data scientist moves an alias: to a good model, and to each kind of bad one."""

import time

from tests.gameday.day import ALIAS, MODEL, REASON, Day
from tests.gameday.rows import row

MOVES = 10
MOVE_SECONDS = 5.0


def delivered(day: Day, version: str) -> None:
    """The version reaches every node."""
    day.move(version)
    assert day.outcome(version) == "deployed", day.tags(version)
    day.settled()


def returned(day: Day, version: str, status: str) -> None:
    """The version does not stay: every node serves what it served, and the tag says why."""
    before = day.pointer
    champion = day.champion
    day.move(version)
    assert day.outcome(version) == status, day.tags(version)
    assert day.tags(version).get(REASON), "the tag says why"
    assert day.settled() == before
    day.client.set_registered_model_alias(MODEL, ALIAS, champion)


@row()
def good_model(day: Day) -> None:
    """A good model."""
    delivered(day, day.good(30))


@row()
def roll_back(day: Day) -> None:
    """A person rolls back."""
    before, champion = day.settled(), day.champion
    delivered(day, day.good(29))
    day.mark("asked")
    day.live.run("python3", "-m", "ops", "rollback", "--reason", "game day")
    day.mark("outcome")
    assert day.settled() == before
    day.client.set_registered_model_alias(MODEL, ALIAS, champion)


@row()
def model_that_does_not_load(day: Day) -> None:
    """A model that does not load."""
    returned(day, day.faulty("does_not_load"), "refused")


@row()
def model_that_answers_at_random(day: Day) -> None:
    """A model that answers otherwise each time."""
    returned(day, day.faulty("answers_differently", each="time"), "refused")


@row()
def model_that_answers_wrongly(day: Day) -> None:
    """A model that answers wrongly on the nodes alone."""
    returned(day, day.faulty("answers_differently", each="process"), "refused")


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


@row()
def model_that_leaks(day: Day) -> None:
    """A model that leaks memory: its workers make room in order, whatever the bake says of it."""
    version = day.faulty("leaks")
    champion = day.champion
    day.move(version)
    day.outcome(version)
    day.settled()
    day.client.set_registered_model_alias(MODEL, ALIAS, champion)
    day.followed(champion)


@row()
def alias_back_and_forth(day: Day) -> None:
    """An alias that moves back and forth ten times in a minute."""
    one, other = day.champion, day.good(31)
    for turn in range(MOVES):
        day.move(one if turn % 2 else other)
        time.sleep(MOVE_SECONDS)  # the pace of the moves is what is played here
    day.move(other)
    day.followed(other)

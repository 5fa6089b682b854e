"""The watcher's looks at a world that is made up: MLflow, a fleet, and rollouts that end as the test says."""

from collections.abc import Collection

import pytest

from ops.rollout.history import Outcome
from ops.watcher.children import UNREACHABLE, Made, Rolled, TroubleError
from ops.watcher.loop import TRIES, Watcher
from ops.watcher.registry import UnreachableError
from ops.watcher.wish import Served, Status
from tests.unit.ops.rollouts import Killed
from tests.unit.ops.watcher.world import World

LONG = 100.0


def watching(world: World) -> Watcher:
    return Watcher(world, clock=lambda: world.now)


def looks(watcher: Watcher, world: World, seconds: float = LONG) -> None:
    """As many looks as the watcher takes in that time."""
    end = world.now + seconds
    while world.now < end:
        watcher.turn()
        world.now += 2.0


def test_a_moved_alias_is_made_rolled_and_tagged() -> None:
    world = World({"a": "1"})
    watcher = watching(world)
    looks(watcher, world)
    world.aliases = {"a": "2"}
    looks(watcher, world)
    assert world.made == [["a/1"], ["a/2"]]
    assert world.fleet.models == {"a": "2"}
    assert world.tags["a/2"] == {"slipway.status": "deployed", "slipway.deployment": "d2", "slipway.reason": ""}
    assert world.status("a/1") == "retired"
    assert "a/2 rolling" in world.statuses


def test_a_removed_alias_retires_its_model_and_the_last_one_is_kept() -> None:
    world = World({"a": "1", "b": "1"})
    watcher = watching(world)
    looks(watcher, world)
    world.aliases = {"a": "1"}
    looks(watcher, world)
    assert world.fleet.models == {"a": "1"}
    assert world.status("b/1") == "retired"
    world.aliases = {}
    looks(watcher, world)
    assert world.fleet.models == {"a": "1"}
    assert len(world.made) == 2


def test_an_alias_that_goes_while_its_model_is_rolled_out_retires_it_afterwards(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    world = World({"a": "1"})
    watcher = watching(world)
    looks(watcher, world)
    world.aliases = {"a": "1", "b": "1"}
    roll = world.roll

    def rolled(deployment: str, reason: str) -> Rolled:
        world.aliases = {"a": "1"}
        return roll(deployment, reason)

    monkeypatch.setattr(world, "roll", rolled)
    looks(watcher, world)
    assert world.made == [["a/1"], ["a/1", "b/1"], ["a/1"]]
    assert world.fleet.models == {"a": "1"}
    assert world.status("b/1") == "retired"


def test_what_is_served_already_needs_no_rollout() -> None:
    world = World({"a": "1"}, fleet=Served("d7", "r1", {"a": "1"}, "a"))
    looks(watching(world), world)
    assert world.made == []
    assert world.status("a/1") == "deployed"
    assert world.fetched == 1


def test_a_model_that_is_refused_says_why_and_is_not_tried_again_after_a_restart() -> None:
    world = World({"a": "1"}, refusals=[Made("", "model a/1 gives no answer: it does not load", "a")])
    looks(watching(world), world)
    looks(watching(world), world)
    assert len(world.made) == 1
    assert world.status("a/1") == "refused"
    assert "it does not load" in world.tags["a/1"]["slipway.reason"]


def test_the_model_to_blame_is_refused_and_the_other_is_delivered() -> None:
    world = World({"a": "1", "b": "1"}, refusals=[Made("", "model b/1 gives no answer", "b")])
    looks(watching(world), world)
    assert world.made == [["a/1", "b/1"], ["a/1"]]
    assert (world.status("a/1"), world.status("b/1")) == ("deployed", "refused")


@pytest.mark.parametrize(
    ("outcome", "status"),
    [
        (Outcome.REFUSED, Status.REFUSED),
        (Outcome.REVERTED, Status.ROLLED_BACK),
        (Outcome.RETURNED, Status.ROLLED_BACK),
    ],
)
def test_a_rollout_that_went_back_is_told_and_not_begun_again(outcome: Outcome, status: Status) -> None:
    world = World({"a": "1"}, outcomes=[outcome])
    looks(watching(world), world)
    looks(watching(world), world)
    assert len(world.made) == 1
    assert world.status("a/1") == status
    assert world.tags["a/1"]["slipway.reason"] == "the canary failed its requests"


def test_a_rollout_that_did_not_begin_is_tried_again() -> None:
    world = World({"a": "1"}, outcomes=[Rolled(2, "a rollout is under way")])
    looks(watching(world), world)
    assert len(world.made) == 2
    assert world.status("a/1") == "deployed"


def test_nodes_that_cannot_be_reached_are_not_held_against_the_model_at_once() -> None:
    world = World({"a": "1"}, outcomes=[Rolled(UNREACHABLE, "UNREACHABLE!")])
    looks(watching(world), world)
    assert world.status("a/1") == "deployed"


def test_what_fails_again_and_again_is_refused_in_the_end() -> None:
    world = World({"a": "1"}, outcomes=[Rolled(UNREACHABLE, "UNREACHABLE!")] * 10)
    looks(watching(world), world, 600)
    assert len(world.made) == TRIES
    assert world.tags["a/1"]["slipway.reason"] == "UNREACHABLE!"


def test_trouble_in_making_is_no_refusal(monkeypatch: pytest.MonkeyPatch) -> None:
    world = World({"a": "1"})
    answers: list[Exception | None] = [TroubleError("no space left on device"), None]
    make = world.make

    def made(models: list[str], carrying: Collection[str]) -> Made:
        if error := answers.pop(0):
            raise error
        return make(models, carrying)

    monkeypatch.setattr(world, "make", made)
    looks(watching(world), world)
    assert world.status("a/1") == "deployed"


def test_only_what_carries_the_alias_is_made_as_followed() -> None:
    world = World({"a": "2", "b": "1"}, fleet=Served("d0", "r1", {"a": "1"}, "a"), outcomes=[Outcome.REVERTED])
    watcher = watching(world)
    looks(watcher, world)
    world.aliases = {"a": "2", "b": "2"}
    looks(watcher, world)
    assert (world.made[-1], world.followed[-1]) == (["a/1", "b/2"], ["b/2"]), "a/2 was refused, a/1 stays"


def test_an_alias_that_goes_back_and_forth_ends_on_the_last_without_a_storm() -> None:
    world = World({"a": "1"}, fleet=Served("d0", "r1", {"a": "1"}, "a"))
    watcher = watching(world)
    looks(watcher, world)
    for turn in range(10):
        world.aliases = {"a": "2" if turn % 2 == 0 else "1"}
        looks(watcher, world, 6)
    world.aliases = {"a": "2"}
    looks(watcher, world)
    assert world.fleet.models == {"a": "2"}
    assert len(world.made) <= 4


def test_while_paused_or_locked_nothing_is_begun() -> None:
    world = World({"a": "1"}, pause="following is paused")
    watcher = watching(world)
    looks(watcher, world)
    assert world.made == []
    world.pause, world.lock = "", "a rollout is under way"
    looks(watcher, world)
    assert world.made == []
    world.lock = ""
    looks(watcher, world)
    assert world.fleet.models == {"a": "1"}


def test_what_is_down_is_said_once_and_waited_for(capsys: pytest.CaptureFixture[str]) -> None:
    world = World({"a": "1"}, down=UnreachableError("MLflow does not answer"))
    watcher = watching(world)
    looks(watcher, world, 300)
    assert capsys.readouterr().out.count("MLflow does not answer") == 1
    world.down = None
    looks(watcher, world)
    assert world.fleet.models == {"a": "1"}
    assert '"event": "going on"' in capsys.readouterr().out


@pytest.mark.parametrize(("outcome", "status"), [(Outcome.DONE, "deployed"), (Outcome.REVERTED, "rolled-back")])
def test_a_watcher_that_was_killed_finds_out_how_its_rollout_ended(outcome: Outcome, status: str) -> None:
    world = World({"a": "1"}, outcomes=[Killed])
    with pytest.raises(Killed):
        looks(watching(world), world)
    world.lock = "a rollout is under way"
    successor = watching(world)
    looks(successor, world)
    assert len(world.made) == 1
    world.ended("d1", outcome)
    world.lock = ""
    looks(successor, world)
    assert len(world.made) == 1
    assert world.status("a/1") == status


def test_a_rollout_that_died_with_the_watcher_is_begun_again() -> None:
    world = World({"a": "1"}, outcomes=[Killed])
    with pytest.raises(Killed):
        looks(watching(world), world)
    looks(watching(world), world)
    assert len(world.made) == 2
    assert world.status("a/1") == "deployed"


def test_a_persons_rollback_stands_and_is_told() -> None:
    world = World({"a": "2"}, fleet=Served("d2", "r1", {"a": "2"}, "a"))
    watcher = watching(world)
    looks(watcher, world)
    world.fleet = Served("d1", "r1", {"a": "1"}, "a")
    looks(watcher, world)
    looks(watching(world), world)
    assert world.made == []
    assert (world.status("a/1"), world.status("a/2")) == ("deployed", "rolled-back")


def test_the_default_stays_what_it_is() -> None:
    world = World({"a": "1", "b": "2"}, fleet=Served("d0", "r1", {"b": "1"}, "b"))
    looks(watching(world), world)
    assert world.made == [["b/2", "a/1"]]


def test_a_version_that_was_deleted_is_no_trouble() -> None:
    world = World({"a": "2"}, fleet=Served("d0", "r1", {"a": "1"}, "a"), missing={"a/1"})
    looks(watching(world), world)
    assert world.fleet.models == {"a": "2"}

"""The watcher's side of an order, with a fleet that is made up: built, rolled out, refused, and begun again."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from ops.errors import UserError
from ops.orders.box import LOG_BYTES
from ops.orders.taker import LOOK_SECONDS, Built, Log, Taker
from ops.rollout.history import Outcome
from ops.watcher.children import UNREACHABLE, Rolled, TroubleError
from ops.watcher.loop import TRIES
from tests.unit.ops.orders.conftest import COMMIT, DEPLOYMENT, NAME, Memory, given
from tests.unit.ops.orders.world import BUILT, World
from tests.unit.ops.rollouts import Killed

LONG = 1000.0


@pytest.fixture
def world() -> World:
    return World()


@pytest.fixture
def taker(box: Memory, world: World) -> Taker:
    return Taker(box, world, lambda: world.now)


def turns(taker: Taker, world: World, count: int = 1) -> None:
    for _ in range(count):
        taker.turn()
        world.now += LONG


def came_of(box: Memory, name: str = NAME) -> tuple[str, str]:
    outcome = box.outcome(name)
    assert outcome, box.log(name)
    return outcome.outcome, outcome.why


def test_an_order_is_built_rolled_out_in_the_pushers_name_and_answered(
    taker: Taker, world: World, box: Memory, tree: Path
) -> None:
    given(box, tree)
    turns(taker, world, 3)
    assert came_of(box) == ("live", "release bbbbbbbbbbbb is served")
    assert world.made == [NAME], "once"
    assert world.rolled == [(DEPLOYMENT, "push of cccccccccc: Another price (Ada)", "ada@desk")]
    log = box.log(NAME)
    assert "...  release\n     release: packing the release\nok   release" in log
    assert "     deploy: Move every node\nok   deploy" in log


def test_without_an_order_nothing_happens_and_the_bucket_is_not_asked_all_the_time(
    taker: Taker, world: World, monkeypatch: pytest.MonkeyPatch, box: Memory
) -> None:
    looks: list[str] = []

    def listed(prefix: str) -> list[Any]:
        looks.append(prefix)
        return []

    monkeypatch.setattr(box, "_listed", listed)
    for _ in range(10):
        taker.turn()
        world.now += LOOK_SECONDS / 5
    assert looks == ["orders/"] * 2
    assert world.made == []


@pytest.mark.parametrize("hindrance", ["a rollout is under way", "following is paused by bob"])
def test_nothing_is_begun_beside_a_rollout_or_while_following_is_paused(
    taker: Taker, world: World, box: Memory, tree: Path, hindrance: str, capsys: pytest.CaptureFixture[str]
) -> None:
    given(box, tree)
    world.hindered = hindrance
    turns(taker, world, 3)
    assert (world.made, box.claim(NAME)) == ([], None), "the push may withdraw it still"
    assert capsys.readouterr().out.count(hindrance) == 1
    world.hindered = ""
    turns(taker, world)
    assert came_of(box)[0] == "live"


def test_what_cannot_be_made_is_refused_with_the_reason_and_nothing_is_rolled(
    taker: Taker, world: World, box: Memory, tree: Path
) -> None:
    given(box, tree)
    world.makings = [Built(refused="module numpy would hide the package of that name")]
    turns(taker, world, 2)
    assert came_of(box) == ("refused", "release: module numpy would hide the package of that name")
    assert (len(world.made), world.rolled) == (1, [])


@pytest.mark.parametrize("outcome", [Outcome.REFUSED, Outcome.REVERTED, Outcome.RETURNED])
def test_what_the_fleet_does_not_take_is_refused_once(
    taker: Taker, world: World, box: Memory, tree: Path, outcome: Outcome
) -> None:
    world.remember(DEPLOYMENT, Outcome.DONE)
    given(box, tree)
    world.rollings = [outcome]
    turns(taker, world, 3)
    assert came_of(box) == ("refused", f"deploy: {outcome}: the canary failed its requests")
    assert len(world.rolled) == 1


def test_an_old_refusal_of_the_same_deployment_is_not_held_against_it(
    taker: Taker, world: World, box: Memory, tree: Path
) -> None:
    world.remember(DEPLOYMENT, Outcome.REVERTED)
    given(box, tree)
    world.rollings = [Rolled(2, "Somebody else has the lock")]
    turns(taker, world, 2)
    assert came_of(box)[0] == "live", "that rollout had not begun, and the next one does"


def test_what_is_served_already_is_not_rolled_out(taker: Taker, world: World, box: Memory, tree: Path) -> None:
    given(box, tree)
    world.served = DEPLOYMENT
    turns(taker, world)
    assert came_of(box) == ("live", "release bbbbbbbbbbbb is served already, in deployment dddddddddddd")
    assert world.rolled == []


@pytest.mark.parametrize("moment", ["making", "rolling"])
def test_a_watcher_that_was_killed_carries_it_out_again(
    taker: Taker, world: World, box: Memory, tree: Path, moment: str
) -> None:
    given(box, tree)
    (world.makings if moment == "making" else world.rollings).append(Killed())
    with pytest.raises(Killed):
        taker.turn()
    before = box.log(NAME)
    assert box.outcome(NAME) is None
    assert not box.withdraw(NAME)
    turns(Taker(box, world, lambda: world.now), world)
    assert came_of(box)[0] == "live"
    assert box.log(NAME).startswith(before), "what a push has shown already stays"


def test_a_rollout_that_went_on_without_its_watcher_is_not_done_twice(
    taker: Taker, world: World, box: Memory, tree: Path
) -> None:
    given(box, tree)
    world.rollings = [Killed()]
    with pytest.raises(Killed):
        taker.turn()
    world.hindered = "a rollout is under way"
    again = Taker(box, world, lambda: world.now)
    turns(again, world)
    assert box.outcome(NAME) is None
    world.hindered, world.served = "", DEPLOYMENT
    turns(again, world)
    assert came_of(box)[0] == "live"
    assert len(world.rolled) == 1


@pytest.mark.parametrize("trouble", [TroubleError("the index cannot be read"), UserError("s3 is away")])
def test_trouble_that_passes_costs_nothing_but_time(
    taker: Taker, world: World, box: Memory, tree: Path, trouble: UserError
) -> None:
    given(box, tree)
    world.makings = [trouble]
    turns(taker, world, 2)
    assert came_of(box)[0] == "live"
    assert f"it is tried again: release: {trouble.message}" in box.log(NAME)


def test_trouble_that_stays_is_held_against_the_order(taker: Taker, world: World, box: Memory, tree: Path) -> None:
    given(box, tree)
    world.rollings = [Rolled(UNREACHABLE, "UNREACHABLE! => serving-i-1")] * 5
    turns(taker, world, TRIES + 1)
    assert came_of(box) == ("refused", "deploy: UNREACHABLE! => serving-i-1")
    assert len(world.rolled) == TRIES


def test_a_fleet_that_took_it_though_the_playbook_failed_has_taken_it(
    taker: Taker, world: World, box: Memory, tree: Path
) -> None:
    given(box, tree)
    world.rollings = [Rolled(2, "the connection was lost")]
    taker.turn()
    world.served, world.now = DEPLOYMENT, LONG
    turns(taker, world)
    assert came_of(box)[0] == "live"


def test_after_trouble_it_is_not_tried_again_at_once(taker: Taker, world: World, box: Memory, tree: Path) -> None:
    given(box, tree)
    world.makings = [TroubleError("the disk is full")] * 2
    taker.turn()
    taker.turn()
    assert len(world.made) == 1


def test_an_order_that_was_withdrawn_is_not_begun_and_is_looked_at_once(
    taker: Taker, world: World, box: Memory, tree: Path
) -> None:
    given(box, tree)
    box.withdraw(NAME)
    turns(taker, world)
    assert came_of(box) == ("refused", "it was withdrawn before anybody began with it")
    assert (world.made, box.open()) == ([], [])


@pytest.mark.parametrize("content", [b"", b"{}", b"[" * 70000])
def test_an_order_that_is_none_is_refused_and_holds_up_no_other(
    taker: Taker, world: World, box: Memory, tree: Path, content: bytes
) -> None:
    wrong = f"{COMMIT}-9"
    box._once(wrong, "order.json", content)
    given(box, tree)
    turns(taker, world, 2)
    assert came_of(box, wrong)[0] == "refused"
    assert came_of(box)[0] == "live"


@pytest.mark.parametrize("claim", [b"", b"mine", b"x" * 100])
def test_a_claim_that_is_none_holds_up_no_other(
    taker: Taker, world: World, box: Memory, tree: Path, claim: bytes
) -> None:
    given(box, tree, f"{COMMIT}-9")
    box._once(f"{COMMIT}-9", "claim", claim)
    given(box, tree)
    turns(taker, world, 2)
    assert came_of(box, f"{COMMIT}-9")[0] == "refused"
    assert came_of(box)[0] == "live"


def test_names_that_are_none_are_passed_over(taker: Taker, world: World, box: Memory) -> None:
    for name in ("../x", "x", f"{COMMIT}-0", f"{COMMIT}", f"{'C' * 40}-1", f"{COMMIT}-1/more"):
        box._once(name, "order.json", b"{}")
    turns(taker, world)
    assert box.open() == []
    assert world.made == []


def test_one_order_at_a_time_the_oldest_first(taker: Taker, world: World, box: Memory, tree: Path) -> None:
    for number in (3, 1, 2):
        given(box, tree, f"{COMMIT}-{number}")
    world.makings = [replace(BUILT, deployment=f"{number}" * 12) for number in range(1, 4)]
    turns(taker, world)
    assert world.made == [f"{COMMIT}-3"]
    turns(taker, world, 2)
    assert world.made == [f"{COMMIT}-{number}" for number in (3, 1, 2)]


def test_a_bucket_that_is_away_is_waited_for_and_that_is_said_once(
    taker: Taker, world: World, box: Memory, tree: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    given(box, tree)
    box.bucket.down = "s3 is away"
    turns(taker, world, 3)
    assert capsys.readouterr().out.count("s3 is away") == 1
    box.bucket.down = ""
    turns(taker, world)
    assert came_of(box)[0] == "live"


def test_a_log_has_its_bounds_and_says_where_the_rest_is(box: Memory) -> None:
    log = Log(box, NAME)
    for _ in range(3 * LOG_BYTES // 100):
        print("x" * 99, file=log, flush=True)
    assert len(box.log(NAME)) < LOG_BYTES + 200
    assert box.log(NAME).endswith("the rest is in the journal of slipway-watcher\n")


def test_a_line_that_could_not_be_written_comes_with_the_next(box: Memory) -> None:
    log = Log(box, NAME)
    box.bucket.down = "s3 is away"
    print("one", file=log, flush=True)
    box.bucket.down = ""
    print("two", file=log, flush=True)
    assert box.log(NAME) == "one\ntwo\n"

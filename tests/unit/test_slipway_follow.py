"""A node by itself: what it settles, what it stands in with, what it keeps and what it has room for."""

import json
import shutil
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest
from slipway_node import fetch, follow, room, state
from slipway_node.activation import Activation
from slipway_node.cloud import UnreachableError
from slipway_node.node import ActivationError, Node
from slipway_node.prune import prune, with_room
from slipway_node.room import NoRoomError
from slipway_node.slots import Slots
from slipway_node.state import Placed, State

from ops import deployment
from tests.unit.slipway_rig import bucket, manifest, node_below

OLD, NEW, NEWER = "aaaaaaaaaaaa", "bbbbbbbbbbbb", "cccccccccccc"


class Acts(Activation):
    """An activation that only says what it would do; its node serves whatever it is told to, but `refused`."""

    def __init__(self, node: Node, pointer: str, previous: str | None = None, refused: str = "") -> None:
        self.node = node
        self.refused = refused
        self.done: list[str] = []
        self.cloud = SimpleNamespace(pointer=lambda: pointer, previous=lambda _: previous)  # type: ignore[assignment]

    def activate(self, wanted: str, provisional_seconds: float | None = None, from_pointer: bool = False) -> None:
        if wanted == self.refused:
            raise ActivationError("gate", "it answers wrongly")
        self.done.append(f"activate {wanted}")
        self.save(self.load().with_confirmed(Placed(wanted, "a")))

    def confirm(self, keep: int | None = None) -> None:
        self.done.append("confirm")

    def revert(self) -> None:
        self.done.append("revert")
        self.save(State(self.load().confirmed))

    def serves(self, placed: Placed) -> bool:
        return True


@pytest.fixture
def node(tmp_path: Path) -> Node:
    return node_below(tmp_path)


@pytest.fixture
def make(node: Node, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Acts]:
    monkeypatch.setattr(time, "sleep", lambda _: None)

    def acts(pointer: str, now: State | None = None, **more: str) -> Acts:
        made = Acts(node, pointer, **more)
        made.save(now or State())
        return made

    return acts


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, ...]]:
    found: list[tuple[str, ...]] = []
    monkeypatch.setattr(follow, "systemctl", lambda *words, check=True: found.append(words))
    monkeypatch.setattr(Slots, "settle_later", lambda *_: None)
    return found


def provisional(left_seconds: float, confirmed: str = OLD) -> State:
    return State(Placed(confirmed, "a"), Placed(NEW, "b", time.time() + left_seconds))


def test_a_rollout_that_has_ended_is_settled_before_its_deadline(
    make: Callable[..., Acts], started: list[tuple[str, ...]]
) -> None:
    acts = make(OLD, provisional(600))
    follow.settle(acts)
    assert acts.done == []
    follow.settle(acts, at_once=True)
    assert acts.done == ["revert"]
    assert started == []
    acts = make(NEW, provisional(600))
    follow.settle(acts, at_once=True)
    assert acts.done == ["confirm"]


def test_a_node_that_a_later_rollout_has_passed_by_catches_up(
    make: Callable[..., Acts], started: list[tuple[str, ...]]
) -> None:
    acts = make(NEWER, provisional(-1))
    follow.settle(acts)
    assert acts.done == ["revert"]
    assert started == [("start", "--no-block", follow.FOLLOW_UNIT)]


def test_following_leaves_a_rollout_under_way_alone(make: Callable[..., Acts]) -> None:
    acts = make(OLD, provisional(600))
    follow.follow(acts)
    assert acts.done == []


def test_a_node_that_missed_a_rollout_is_brought_to_the_pointer(make: Callable[..., Acts]) -> None:
    acts = make(NEW, State(Placed(OLD, "a")))
    follow.follow(acts)
    assert acts.done == [f"activate {NEW}"]


def test_a_new_node_that_cannot_serve_the_pointer_stands_in_and_says_so(
    make: Callable[..., Acts], capsys: pytest.CaptureFixture[str]
) -> None:
    acts = make(NEW, previous=OLD, refused=NEW)
    attempts: Counter[str] = Counter()
    assert not follow._attempt(acts, attempts)
    assert not follow._attempt(acts, attempts), "it goes on trying"
    assert acts.done == [f"activate {OLD}"]
    error = follow.last_error(acts)
    assert error is not None
    assert (error["deployment"], error["reason"]) == (NEW, "gate")
    events = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    assert any(event["event"] == "standing-in" and event["instead_of"] == NEW for event in events)
    acts.refused = ""
    assert follow._attempt(acts, attempts)
    assert acts.done[-1] == f"activate {NEW}"
    assert follow.last_error(acts) is None


def test_a_node_that_serves_does_not_stand_in(make: Callable[..., Acts]) -> None:
    acts = make(NEW, State(Placed(NEWER, "a")), previous=OLD, refused=NEW)
    assert not follow._attempt(acts, Counter())
    assert acts.done == []


def test_without_the_cloud_nothing_stands_in(make: Callable[..., Acts], monkeypatch: pytest.MonkeyPatch) -> None:
    acts = make(NEW, previous=OLD)

    def away() -> str:
        raise UnreachableError("parameter", "no route")

    monkeypatch.setattr(acts.cloud, "pointer", away)
    assert not follow._attempt(acts, Counter())
    assert acts.done == []


def test_the_number_of_kept_deployments_is_the_stacks(node: Node) -> None:
    now = State(keep=2)
    for name in ("one", "two", "three"):
        now = now.with_confirmed(Placed(name, "a"))
    assert now.history == ["three", "two"]
    state.save(node.state, now)
    assert state.load(node.state) == now


def test_what_has_no_room_is_not_begun(node: Node, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cloud, _, deployment_id = bucket(tmp_path / "bucket")
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=room.RESERVE_BYTES))
    with pytest.raises(NoRoomError, match="larger disks") as failure:
        fetch.deployment(node, cloud, deployment_id)
    assert failure.value.exit_name == "fetch"
    assert list(node.releases.iterdir()) == []


def test_old_deployments_go_before_a_disk_is_called_full(
    node: Node, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cloud, _, deployment_id = bucket(tmp_path / "bucket")
    kept = []
    for number in range(3):
        content = manifest(release=str(number) * 64)
        kept.append(deployment.identify(content))
        (node.deployments / f"{kept[-1]}.json").write_bytes(content)
        (node.releases / (str(number) * 64)).mkdir()
    state.save(node.state, State(Placed(kept[0], "a"), None, kept))
    usage = shutil.disk_usage(tmp_path)

    def free(_: Path) -> SimpleNamespace:
        full = (node.releases / ("2" * 64)).exists()
        return SimpleNamespace(free=0 if full else usage.total)

    monkeypatch.setattr(shutil, "disk_usage", free)
    fetched = with_room(node, lambda: fetch.deployment(node, cloud, deployment_id))
    assert (node.releases / fetched.release).is_dir()
    assert {entry.name[0] for entry in node.releases.iterdir()} >= {"0", "1"}, "current and previous never go"


def test_pruning_keeps_what_the_history_names(node: Node) -> None:
    content = manifest(release="1" * 64)
    name = deployment.identify(content)
    (node.deployments / f"{name}.json").write_bytes(content)
    for digit in "12":
        (node.releases / (digit * 64)).mkdir()
    prune(node, [name], name)
    assert [entry.name[0] for entry in node.releases.iterdir()] == ["1"]

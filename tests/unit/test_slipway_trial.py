"""A candidate on trial on a node: what it is given, what ends it, and how its answers compare."""

import json
import subprocess
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from slipway_node import activation as acting
from slipway_node import answers, fetch, follow, gate, links, slots, trial
from slipway_node.activation import Activation
from slipway_node.cloud import UnreachableError
from slipway_node.node import ActivationError, Node
from slipway_node.slots import Slots
from slipway_node.state import Placed, State

from tests.unit.slipway_rig import node_below

OLD, NEW, NEWER = "aaaaaaaaaaaa", "bbbbbbbbbbbb", "cccccccccccc"


class Units(Slots):
    """The slots with their links, and units that only remember whether they run."""

    def __init__(self, node: Node) -> None:
        super().__init__(node)
        self.running: set[str] = {"a"}
        self.started: list[str] = []

    def fill(self, slot: str, manifest: Any) -> None:
        """Nothing runs from it."""

    def start(self, slot: str) -> None:
        self.started.append(slot)
        self.running.add(slot)

    def stop(self, slot: str) -> None:
        self.running.discard(slot)

    def active(self, slot: str) -> bool:
        return slot in self.running

    def last_lines(self, slot: str, since: float) -> list[str]:
        return []


class Here(Activation):
    """A node that serves OLD in slot a. `said` is the record of the fleet's trial, an error when it cannot be read."""

    slots: Units

    def __init__(self, node: Node) -> None:
        self.node, self.slots = node, Units(node)
        self.said: tuple[str, int] | None = None
        self.named = OLD
        self.away = False
        self.cloud = SimpleNamespace(pointer=self._pointer, trial=self._trial)  # type: ignore[assignment]
        self.save(State(Placed(OLD, "a"), history=[OLD]))
        self.slots.link("current.sock", "a")

    def _pointer(self) -> str:
        return self.named

    def _trial(self) -> tuple[str, int] | None:
        if self.away:
            raise UnreachableError("s3://bucket/deployments/trial.json", "no route")
        return self.said

    @property
    def trial(self) -> tuple[str, str, int] | None:
        """Deployment, slot and percentage."""
        found = self.load().trial
        return (found.deployment, found.slot, found.percent) if found else None

    @property
    def given(self) -> set[str]:
        return {entry.name for entry in self.node.trial.iterdir()} if self.node.trial.is_dir() else set()


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Here:
    def made(_: object, __: object, wanted: str) -> Any:
        return SimpleNamespace(id=wanted, models=[])

    monkeypatch.setattr(fetch, "deployment", made)
    for check in ("wait_ready", "check_models", "wait_seen"):
        monkeypatch.setattr(gate, check, lambda *_: None)
    monkeypatch.setattr(slots.Slots, "settle_later", lambda *_: None)
    monkeypatch.setattr(acting, "DRAIN_SECONDS", 0.0)
    monkeypatch.setattr(subprocess, "run", lambda *_, **__: None)
    monkeypatch.setattr(Activation, "_prune", lambda *_: None)
    (tmp_path / "node").mkdir()
    return Here(node_below(tmp_path / "node"))


def test_a_share_runs_beside_what_serves_and_is_given_its_buckets(here: Here) -> None:
    trial.begin(here, NEW, 10)
    assert here.given == {"candidate.sock", "shadow.sock", "share-1", "share-5", "share-10"}
    assert (here.node.trial / "candidate.sock").readlink() == here.node.socket("b")
    assert here.trial == (NEW, "b", 10)
    assert here.load().serving == Placed(OLD, "a")
    assert here.slots.running == {"a", "b"}


def test_another_share_of_the_same_candidate_starts_nothing_anew(here: Here) -> None:
    for percent, buckets in ((5, {"1", "5"}), (25, {"1", "5", "10", "25"}), (1, {"1"}), (1, {"1"})):
        trial.begin(here, NEW, percent)
        assert {name.removeprefix("share-") for name in here.given if name.startswith("share-")} == buckets
    trial.begin(here, NEW, 0)
    assert "shadow" in here.given
    assert len([name for name in here.given if name.startswith("share-")]) == len(here.node.percents) + 1
    assert here.slots.started == ["b"]


def test_another_candidate_takes_the_place_of_the_first(here: Here) -> None:
    trial.begin(here, NEW, 5)
    trial.begin(here, NEWER, 1)
    assert here.trial == (NEWER, "b", 1)
    assert here.slots.started == ["b", "b"]


def test_what_cannot_be_tried_is_refused_and_nothing_changes(here: Here) -> None:
    for wanted, percent, says in ((NEW, 7, "1, 5, 10, 25, 50 percent"), (OLD, 5, "is what serves here")):
        with pytest.raises(ActivationError, match=says) as refused:
            trial.begin(here, wanted, percent)
        assert refused.value.exit_name == "usage"
    here.save(State(Placed(OLD, "a"), Placed(NEW, "b", time.time() + 60)))
    with pytest.raises(ActivationError) as refused:
        trial.begin(here, NEWER, 5)
    assert refused.value.exit_name == "busy"
    here.save(State())
    with pytest.raises(ActivationError) as refused:
        trial.begin(here, NEW, 5)
    assert refused.value.exit_name == "nothing"
    assert here.given == set()


def test_a_candidate_that_fails_its_gate_is_given_nothing(here: Here, monkeypatch: pytest.MonkeyPatch) -> None:
    def wrong(*_: object) -> None:
        raise ActivationError("gate", "it answers wrongly")

    monkeypatch.setattr(gate, "check_models", wrong)
    with pytest.raises(ActivationError, match="answers wrongly"):
        trial.begin(here, NEW, 5)
    assert here.given == set()
    assert here.load().trial is None
    assert here.slots.running == {"a"}


def test_a_trial_ends_once(here: Here) -> None:
    trial.begin(here, NEW, 5)
    here.end_trial()
    assert here.given == set()
    assert here.load() == State(Placed(OLD, "a"), history=[OLD])
    assert here.slots.running == {"a"}
    with pytest.raises(ActivationError) as again:
        here.end_trial()
    assert again.value.exit_name == "nothing"


def test_going_back_ends_a_trial(here: Here) -> None:
    trial.begin(here, NEW, 5)
    here.revert()
    assert here.load().trial is None
    assert here.given == set()


def test_activating_what_is_on_trial_switches_to_the_slot_that_runs(here: Here) -> None:
    trial.begin(here, NEW, 5)
    here.activate(NEW, 60)
    assert here.slots.started == ["b"]
    assert here.slots.linked("current.sock") == "b"
    assert here.given == set()
    now = here.load()
    assert now.trial is None
    assert now.provisional
    assert now.provisional.deployment == NEW
    here.revert()
    assert here.slots.linked("current.sock") == "a"
    assert here.slots.running == {"a"}


def test_activating_anything_else_ends_the_trial_first(here: Here) -> None:
    for wanted in (NEWER, OLD):
        here.save(State(Placed(OLD, "a"), history=[OLD]))
        here.slots.link("current.sock", "a")
        here.slots.running = {"a"}
        trial.begin(here, NEW, 5)
        here.activate(wanted)
        assert here.load().trial is None
        assert here.given == set()
        assert here.load().confirmed == Placed(wanted, "b" if wanted == NEWER else "a")


def test_a_reboot_forgets_a_trial(here: Here) -> None:
    trial.begin(here, NEW, 5)
    here.slots.running = set()
    here.resume()
    assert here.load().trial is None
    assert here.given == set()
    assert here.slots.running == {"a"}


def test_past_its_deadline_a_trial_is_what_the_record_says(here: Here) -> None:
    trial.begin(here, NEW, 5, -1.0)
    here.away = True
    follow.settle(here)
    assert here.load().trial, "what cannot be read is asked again"
    here.away, here.said = False, (NEW, 25)
    follow.settle(here)
    assert here.trial == (NEW, "b", 25), "it missed that its share was raised"
    assert "share-25" in here.given
    trial.begin(here, NEW, 5, -1.0)
    here.said = None
    follow.settle(here)
    assert here.load().trial is None
    assert here.given == set()


def test_before_its_deadline_a_trial_is_left_alone_unless_the_rollout_is_known_to_have_ended(here: Here) -> None:
    trial.begin(here, NEW, 5, 600.0)
    assert not follow.due(here)
    follow.settle(here)
    assert here.load().trial
    follow.settle(here, at_once=True)
    assert here.load().trial is None


def test_a_node_that_missed_the_end_of_a_trial_finds_out_when_it_looks(here: Here) -> None:
    trial.begin(here, NEW, 5)
    here.said = (NEW, 5)
    follow.follow(here)
    assert here.trial == (NEW, "b", 5)
    here.said = None
    follow.follow(here)
    assert here.load().trial is None
    trial.begin(here, NEW, 5)
    here.said, here.named = (NEW, 5), NEW
    follow.follow(here)
    assert here.load().confirmed == Placed(NEW, "b"), "the fleet went on to what is on trial here"


def test_what_is_given_is_taken_away_whatever_was_left_half_done(here: Here) -> None:
    links.give(here.node, "b", 50)
    (here.node.trial / ".candidate.sock.partial").symlink_to("nowhere")
    links.take(here.node)
    assert here.given == set()


NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


def line(name: str, digest: str, status: int = 200, age: float = 60.0) -> str:
    at = (NOW - timedelta(seconds=age)).isoformat(timespec="milliseconds")
    about = {"request_id": f"r-{name}", "status": status, "digest": digest, "time": at}
    return json.dumps({"message": "answer", "compare": name, **about})


def test_answers_are_joined_by_their_ids_and_counted() -> None:
    serving = [line("1", "x"), line("2", "x"), line("3", "x"), line("4", "x"), line("5", "x", age=1), line("6", "")]
    shadow = [line("1", "x"), line("2", "y"), line("3", "", 500), line("6", ""), line("7", "x")]
    found = answers.compare(answers.parsed(serving), answers.parsed(shadow), NOW)
    assert found == {
        "same": 1,
        "different": 1,
        "failed": 1,
        "missing": 1,
        "unchecked": 1,
        "first": ["r-2", "r-3"],
    }


def test_another_status_is_another_answer_and_a_failure_of_both_is_the_shadows_no_more() -> None:
    pairs = (("1", 200, 400), ("2", 400, 400), ("3", 500, 500))
    serving = answers.parsed([line(name, "x", status) for name, status, _ in pairs])
    shadow = answers.parsed([line(name, "x", status) for name, _, status in pairs])
    found = answers.compare(serving, shadow, NOW)
    assert (found["same"], found["different"], found["failed"]) == (2, 1, 0)


def test_other_lines_of_the_log_are_no_answers() -> None:
    others = ["not JSON", "[]", '{"message": "request", "compare": "1"}', '{"message": "answer"}']
    assert answers.parsed(others) == {}


def test_copies_never_become_a_share_on_the_way(here: Here, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever instant Nginx looks at: buckets without the mark of a shadow are a share."""
    seen: list[set[str]] = []

    def spied(name: str) -> None:
        before = getattr(Path, name)

        def call(path: Path, *words: Any, **more: Any) -> None:
            before(path, *words, **more)
            seen.append(here.given)

        monkeypatch.setattr(Path, name, call)

    for each in ("touch", "unlink"):
        spied(each)
    trial.begin(here, NEW, 0)
    here.end_trial()
    assert len(seen) > 2 * len(here.node.percents)
    assert not [given for given in seen if "shadow" not in given and any(name.startswith("share-") for name in given)]

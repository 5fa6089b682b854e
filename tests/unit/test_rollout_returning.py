"""A rollback, with a fleet that only remembers what it was told."""

import os
from typing import Any

import pytest

from contract import ACTIVATE_EXIT
from ops.errors import UserError
from ops.rollout import begin, keeper, reach, returning, wanted
from ops.rollout.history import History, Kind, Outcome
from ops.rollout.lock import Lock, LostError
from ops.run import Result
from tests.unit.test_rollout_keeper import BOUNDS, NEW, OLD, OWNER, Told, made

KEEP = str(BOUNDS.keep_deployments)


class Fleet(Told):
    """All of its nodes serve what they were last told to; a node of `refusing` does not take it, and says why."""

    def __init__(self, *refusing: str) -> None:
        super().__init__({"serving-i-1": 0, "serving-i-2": 0})
        self.refusing = refusing
        self.serving = OLD

    def everywhere(self, *words: str, among: Any = None) -> Any:
        answers = super().everywhere(*words, among=among)
        if words[0] == "activate":
            self.serving = words[1]
            refused = Result("", '{"message": "it does not start"}', ACTIVATE_EXIT.start)
            return {name: refused if name in self.refusing else answer for name, answer in answers.items()}
        return answers

    def statuses(self) -> dict[str, Any]:
        return {
            name: {"serving": self.serving, "confirmed": self.serving, "provisional": None} for name in self.answers
        }


@pytest.fixture
def kept(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, int]]:
    """The keepers that were started: a rollout, and whom to watch."""
    found: list[tuple[str, int]] = []
    monkeypatch.setattr(keeper, "start", lambda rollout, pid: found.append((rollout, pid)))
    return found


@pytest.fixture
def at(monkeypatch: pytest.MonkeyPatch, kept: list[tuple[str, int]]) -> Any:
    """A stack that served NEW before, and where OLD has a fault."""
    cloud = made(monkeypatch)
    cloud.existing = lambda deployment: deployment  # type: ignore[attr-defined]
    monkeypatch.setattr(wanted, "description", lambda at, deployment: f"m/{deployment[0]}")
    monkeypatch.setattr(wanted, "models", lambda at, deployment: ["m/1"])
    return cloud


def rolled(at: Any, fleet: Told) -> Any:
    return returning.roll_back(at, BOUNDS, fleet, NEW, reason="it is slow", say=lambda _: None)  # type: ignore[arg-type]


def test_every_node_is_moved_at_once_and_the_pointer_after_them(at: Any, kept: list[tuple[str, int]]) -> None:
    fleet = Fleet()
    record = rolled(at, fleet)
    assert (record.outcome, record.kind, record.reason) == (Outcome.DONE, Kind.ROLLBACK, "it is slow")
    assert at.pointer() == NEW
    deadline = str(begin.deadline_seconds(2, BOUNDS))
    assert fleet.words == [("activate", NEW, "--provisional", deadline), ("confirm", "--keep", KEEP)]
    assert kept == [(record.rollout, os.getpid())], "whoever kills this process leaves the rest to the keeper"
    assert Lock(at).read() is None


def test_a_node_that_refuses_brings_all_back_and_is_named_with_its_reason(at: Any) -> None:
    fleet = Fleet("serving-i-2")
    with pytest.raises(UserError, match=f"every node serves {OLD}: serving-i-2: it does not start"):
        rolled(at, fleet)
    assert [words[0] for words in fleet.words] == ["activate", "revert"]
    assert at.pointer() == OLD
    (record,) = History(at).newest_first()
    assert record.outcome is Outcome.REVERTED
    assert Lock(at).read() is None


def test_a_lock_that_is_lost_leaves_the_nodes_to_whoever_has_it(at: Any) -> None:
    class Broken(Fleet):
        def everywhere(self, *words: str, among: Any = None) -> Any:
            Lock(at).break_()
            return super().everywhere(*words, among=among)

    fleet = Broken()
    with pytest.raises(LostError):
        rolled(at, fleet)
    assert [words[0] for words in fleet.words] == ["activate"]
    assert at.pointer() == OLD


def test_while_another_rolls_nothing_is_begun(at: Any, kept: list[tuple[str, int]]) -> None:
    Lock(at).take(OWNER)
    fleet = Fleet()
    with pytest.raises(UserError, match="ada@desk"):
        rolled(at, fleet)
    assert not fleet.words
    assert not kept


def test_without_nodes_there_is_an_error(at: Any) -> None:
    fleet = Fleet()
    fleet.answers = {}
    with pytest.raises(UserError, match=begin.NOTHING):
        rolled(at, fleet)


def test_a_plan_names_what_would_change_and_takes_no_lock(at: Any) -> None:
    found = returning.plan(at, BOUNDS, Fleet(), NEW)  # type: ignore[arg-type]
    assert (found.previous, found.before, found.deployment, found.after) == (OLD, "m/0", NEW, "m/a")
    assert found.nodes == ["serving-i-1", "serving-i-2"]
    assert Lock(at).read() is None


def test_the_reason_of_ssh_is_told_too() -> None:
    assert reach.reason(Result("", "ssh: connect to host i-1: refused", reach.UNREACHED)).endswith("refused")

"""A rollout's keeper, and what ends a rollout, with a fleet that only remembers what it was told."""

import contextlib
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import pytest

from contract import ACTIVATE_EXIT, S3
from ops.errors import UserError
from ops.nodes import Node
from ops.rollout import begin, ending, keeper, lock, verify, wanted
from ops.rollout.history import History, Kind, Outcome
from ops.rollout.lock import Lock, LockedError, LostError, Owner
from ops.rollout.objects import Object
from ops.rollout.settings import parsed
from ops.run import Result
from tests.unit.test_rollout_settings import OUTPUT
from tests.waiting import until

OLD, NEW = "000000000000", "aaaaaaaaaaaa"
NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
OWNER = Owner(
    rollout=f"20260102T030405Z-{NEW}",
    deployment=NEW,
    previous=OLD,
    kind="deploy",
    by="ada@desk",
    reason="diabetes@champion",
    since=NOW.isoformat(timespec="seconds"),
)
BOUNDS = parsed(OUTPUT)
WAITS = [sys.executable, "-c", "import sys; sys.stdin.read()"]


class Bucket:
    """S3's conditions in a dictionary, for every `Objects` of a test."""

    def __init__(self) -> None:
        self.content: dict[str, tuple[dict[str, Any], int]] = {}
        self.writes = 0
        self.mutex = threading.Lock()

    def read(self, key: str) -> Object | None:
        with self.mutex:
            found = self.content.get(key)
        return Object(dict(found[0]), str(found[1]), NOW, NOW) if found else None

    def write(self, key: str, content: dict[str, Any], over: Object | None) -> bool:
        with self.mutex:
            found = self.content.get(key)
            if (str(found[1]) if found else None) != (over.version if over else None):
                return False
            self.writes += 1
            self.content[key] = (dict(content), self.writes)
            return True

    def put(self, key: str, content: dict[str, Any]) -> None:
        with self.mutex:
            self.writes += 1
            self.content[key] = (dict(content), self.writes)

    def delete(self, key: str) -> None:
        self.content.pop(key, None)

    def keys(self, prefix: str) -> Iterator[str]:
        return iter(sorted(key for key in self.content if key.startswith(prefix)))

    def now(self) -> Any:
        return NOW


@dataclass
class Cloud:
    """A store whose pointer is here."""

    current: str = OLD
    bucket: Bucket = field(default_factory=Bucket)

    def pointer(self) -> str:
        return self.current

    def point(self, deployment: str) -> None:
        self.current = deployment

    def has(self, key: str) -> bool:
        return True


def made(monkeypatch: pytest.MonkeyPatch) -> Cloud:
    """A stack of which every part of a rollout keeps its objects here."""
    cloud = Cloud()
    for module in ("lock", "history", "ending", "begin", "trial"):
        monkeypatch.setattr(f"ops.rollout.{module}.Objects", lambda at: at.bucket)
    monkeypatch.setattr("ops.metrics.rollout_returned", lambda at: None)
    monkeypatch.setattr("ops.notify.rollout_ended", lambda record: None)
    monkeypatch.setattr(keeper, "FENCE_SECONDS", 0.0)
    monkeypatch.setattr(keeper, "RENEWAL_SECONDS", 0.05)
    return cloud


@pytest.fixture
def at(monkeypatch: pytest.MonkeyPatch) -> Any:
    return made(monkeypatch)


class Told:
    """A fleet of two that remembers what it was told; `answers` are exit statuses by node."""

    def __init__(self, answers: dict[str, int] | None = None) -> None:
        self.words: list[tuple[str, ...]] = []
        self.answers = answers or {"serving-i-1": 0, "serving-i-2": ACTIVATE_EXIT.nothing}

    def nodes(self) -> list[Node]:
        about = {"role": "serving", "state": "running", "address": "", "zone": "", "group": None}
        return [Node(id=name.removeprefix("serving-"), **about) for name in self.answers]  # type: ignore[arg-type]

    def started(self) -> list[Node]:
        return self.nodes()

    def patiently(self, *words: str, turn: Callable[[], object] = lambda: None, **_: Any) -> Any:
        turn()
        return self.everywhere(*words)

    def everywhere(self, *words: str, among: Any = None) -> Any:
        self.words.append(words)
        return {name: Result("", "", status) for name, status in self.answers.items()}

    def statuses(self) -> dict[str, Any]:
        return {name: {"serving": OLD, "confirmed": OLD, "provisional": None} for name in self.answers}


def outcome(at: Any) -> tuple[Outcome, str]:
    record = History(at).read(OWNER.rollout)
    assert record is not None
    return record.outcome, record.why


def test_a_commit_moves_the_pointer_and_leaves_the_pair_for_new_nodes(at: Any) -> None:
    Lock(at).take(OWNER)
    ending.commit(at, OWNER.rollout)
    assert at.pointer() == NEW
    assert at.bucket.read(S3.previous).content == {"deployment": NEW, "previous": OLD, "before": None}


def test_without_the_lock_there_is_no_commit(at: Any) -> None:
    Lock(at).take(OWNER)
    Lock(at).break_()
    with pytest.raises(LostError):
        ending.commit(at, OWNER.rollout)
    assert at.pointer() == OLD


def test_a_rollout_that_was_fenced_commits_no_more(at: Any) -> None:
    Lock(at).take(OWNER)
    Lock(at).fence(OWNER.rollout)
    with pytest.raises(LostError):
        ending.commit(at, OWNER.rollout)
    with pytest.raises(LockedError):
        Lock(at).take(replace(OWNER, rollout="another"))


def test_going_back_before_the_commit_is_reverted_and_frees_the_lock(at: Any) -> None:
    Lock(at).take(OWNER)
    fleet = Told()
    record = ending.back(at, fleet, OWNER.rollout, "it failed")  # type: ignore[arg-type]
    assert (record.outcome, record.why) == (Outcome.REVERTED, "it failed")
    assert fleet.words == [("revert",)]
    assert Lock(at).read() is None
    assert ending.back(at, fleet, OWNER.rollout, "again") == record, "a second rescue finds it done"  # type: ignore[arg-type]
    assert fleet.words == [("revert",)]


def test_going_back_when_no_node_had_moved_is_a_refusal(at: Any) -> None:
    Lock(at).take(OWNER)
    fleet = Told({"serving-i-1": ACTIVATE_EXIT.nothing})
    assert ending.back(at, fleet, OWNER.rollout, "no").outcome is Outcome.REFUSED  # type: ignore[arg-type]


def test_going_back_after_the_commit_moves_the_pointer_first(at: Any) -> None:
    Lock(at).take(OWNER)
    ending.commit(at, OWNER.rollout)
    fleet = Told()
    record = ending.back(at, fleet, OWNER.rollout, "errors rose")  # type: ignore[arg-type]
    assert record.outcome is Outcome.RETURNED
    assert at.pointer() == OLD
    assert at.bucket.read(S3.previous) is None


def test_a_node_that_cannot_be_told_is_named(at: Any) -> None:
    Lock(at).take(OWNER)
    record = ending.back(at, Told({"serving-i-1": 0, "serving-i-2": 255}), OWNER.rollout, "no")  # type: ignore[arg-type]
    assert "serving-i-2" in record.why


def kept(at: Any, fleet: Told, controller: subprocess.Popen[bytes]) -> threading.Thread:
    before = at.bucket.writes
    thread = threading.Thread(target=keeper.keep, args=[at, fleet, OWNER.rollout, controller.pid], daemon=True)
    thread.start()
    until(lambda: at.bucket.writes > before, "it has renewed the lock", 30)
    return thread


@pytest.fixture
def controller() -> Iterator[subprocess.Popen[bytes]]:
    with subprocess.Popen(WAITS, stdin=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:
        yield process
        with contextlib.suppress(ProcessLookupError):
            process.kill()


def test_a_controller_that_dies_leaves_nodes_settled_a_record_and_a_free_lock(
    at: Any, controller: subprocess.Popen[bytes]
) -> None:
    Lock(at).take(OWNER)
    fleet = Told()
    thread = kept(at, fleet, controller)
    controller.kill()
    thread.join(20)
    assert fleet.words == [("settle", "--now")]
    assert outcome(at)[0] is Outcome.INTERRUPTED
    assert Lock(at).read() is None


def test_an_interruption_after_the_commit_says_so_and_can_be_rolled_back(
    at: Any, controller: subprocess.Popen[bytes]
) -> None:
    Lock(at).take(OWNER)
    ending.commit(at, OWNER.rollout)
    thread = kept(at, Told(), controller)
    controller.kill()
    thread.join(20)
    assert "after its commit" in outcome(at)[1]
    assert History(at).before(NEW) == OLD


def test_a_rollout_that_ended_in_order_is_left_alone(at: Any, controller: subprocess.Popen[bytes]) -> None:
    Lock(at).take(OWNER)
    fleet = Told()
    thread = kept(at, fleet, controller)
    ending.end(at, fleet, OWNER.rollout)  # type: ignore[arg-type]
    controller.kill()
    thread.join(20)
    assert fleet.words == []
    assert outcome(at)[0] is Outcome.DONE


def test_the_lock_is_renewed_while_the_controller_lives(at: Any, controller: subprocess.Popen[bytes]) -> None:
    Lock(at).take(OWNER)
    thread = kept(at, Told(), controller)
    before = at.bucket.writes
    until(lambda: at.bucket.writes > before + 2, "it is renewed", 20)
    controller.kill()
    thread.join(20)


def test_who_loses_the_lock_is_stopped(at: Any, controller: subprocess.Popen[bytes]) -> None:
    Lock(at).take(OWNER)
    fleet = Told()
    thread = kept(at, fleet, controller)
    Lock(at).break_()
    assert controller.wait(20) == -signal.SIGINT
    thread.join(20)
    assert fleet.words == [("settle", "--now")]
    assert outcome(at)[0] is Outcome.INTERRUPTED


def test_the_controller_is_the_outermost_playbook() -> None:
    script = (
        "import os, sys; sys.path.insert(0, os.getcwd()); from ops.rollout import keeper;"
        "print(os.getppid(), keeper.controller(), flush=True)"
    )
    argv = [sys.executable, "-c", script]
    own = subprocess.run(argv, capture_output=True, text=True, check=True)
    parent, found = own.stdout.split()
    assert parent == found == str(os.getpid()), "without a playbook, whoever called"
    outer = f"import subprocess, sys; sys.argv[1] == 'ansible-playbook' and subprocess.run({argv!r})"
    process = subprocess.Popen([sys.executable, "-c", outer, "ansible-playbook"], stdout=subprocess.PIPE, text=True)
    said, _ = process.communicate(timeout=30)
    assert said.split()[1] == str(process.pid)


def test_a_deadline_outlasts_every_batch_the_bake_and_the_watch() -> None:
    few, many = begin.deadline_seconds(2, BOUNDS), begin.deadline_seconds(40, BOUNDS)
    assert few >= 2 * begin.NODE_SECONDS + BOUNDS.bake_seconds + BOUNDS.watch_seconds
    assert many > few
    assert begin.deadline_seconds(1, BOUNDS) < few


@pytest.fixture
def beginning(at: Any, monkeypatch: pytest.MonkeyPatch) -> Callable[[], begin.Rollout]:
    monkeypatch.setattr(wanted, "description", lambda at, deployment: f"what {deployment} serves")
    monkeypatch.setattr(wanted, "models", lambda at, deployment: ["m/1"])
    monkeypatch.setattr(keeper, "start", lambda rollout, pid: None)
    refusals: list[str] = []
    monkeypatch.setattr(begin, "candidate", SimpleNamespace(check=lambda *_: refusals))

    def call(*refused: str) -> begin.Rollout:
        refusals[:] = refused
        return begin.begin(at, BOUNDS, Told().nodes(), NEW, kind=Kind.DEPLOY, by="ada", reason="because", controller=1)

    return call


def test_a_rollout_that_begins_holds_the_lock(at: Any, beginning: Callable[..., begin.Rollout]) -> None:
    began = beginning()
    assert (began.deployment, began.previous) == (NEW, OLD)
    assert Lock(at).check(began.rollout).by == "ada"
    with pytest.raises(LockedError):
        begin.refuse_if_locked(at)


def test_a_candidate_that_is_refused_is_written_down_and_holds_nothing(
    at: Any, beginning: Callable[..., begin.Rollout]
) -> None:
    with pytest.raises(UserError, match="no signature"):
        beginning("m/1: it has no signature")
    assert Lock(at).read() is None
    assert outcome(at)[0] is Outcome.REFUSED


def test_whose_expired_lock_is_taken_over_is_written_down(
    at: Any, beginning: Callable[..., begin.Rollout], monkeypatch: pytest.MonkeyPatch
) -> None:
    dead = replace(OWNER, rollout="20260101T000000Z-bbbbbbbbbbbb", deployment="bbbbbbbbbbbb")
    Lock(at).take(dead)
    monkeypatch.setattr(lock, "EXPIRY_SECONDS", -1)
    beginning()
    record = History(at).read(dead.rollout)
    assert record is not None
    assert record.outcome is Outcome.INTERRUPTED


SERVES = {"serving": NEW, "confirmed": NEW, "provisional": None}


@pytest.mark.parametrize(
    ("status", "said"),
    [
        (SERVES, ""),
        (None, "does not answer yet"),
        ({**SERVES, "provisional": NEW, "confirmed": OLD}, f"serves {NEW} provisionally"),
        ({**SERVES, "serving": OLD, "confirmed": OLD}, f"serves {OLD}"),
        ({**SERVES, "serving": OLD, "last_error": {"message": "gate"}}, f"serves {OLD}: gate"),
        ({"serving": None, "confirmed": None, "provisional": None}, "serves nothing"),
    ],
)
def test_a_node_is_right_only_when_it_serves_it_for_good(status: dict[str, Any] | None, said: str) -> None:
    assert verify.differs(status, NEW) == said


def test_a_late_node_is_told_and_then_verified(monkeypatch: pytest.MonkeyPatch) -> None:
    fleet = Told({"serving-i-1": 0})
    told = iter([OLD, NEW])
    monkeypatch.setattr(
        fleet,
        "statuses",
        lambda: {"serving-i-1": dict.fromkeys(("serving", "confirmed"), next(told)) | {"provisional": None}},
    )
    assert verify.verify(fleet, NEW, lambda: None) == ["serving-i-1"]  # type: ignore[arg-type]
    assert fleet.words == [("activate", NEW)]


def test_a_node_that_stays_wrong_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UserError, match="serving-i-2"):
        verify.verify(Told(), NEW, lambda: None, seconds=-1)  # type: ignore[arg-type]

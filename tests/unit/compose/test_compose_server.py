"""How a server container follows the pointer, without the processes: a deployment that fails leaves the old serving."""

import fcntl
import os
import signal
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from slipway_node.node import ActivationError, Node
from slipway_node.state import Placed, State

from compose import processes, server
from compose.processes import Child, Processes
from compose.server import Server
from tests.unit.slipway_rig import node_below

OLD, NEW = "111111111111", "222222222222"


class Fake:
    """An activation that serves what it is asked for, unless that is `bad`."""

    def __init__(
        self, node: Node, pointer: str, serving: str | None, bad: str = "", previous: str | None = None
    ) -> None:
        self.node, self.bad, self.tried = node, bad, list[str]()
        self.slots = Processes(node)
        self.cloud = SimpleNamespace(pointer=lambda: pointer, previous=lambda _: previous)
        self.confirmed = Placed(serving, "a") if serving else None

    def load(self) -> State:
        return State(self.confirmed)

    def activate(self, wanted: str) -> None:
        self.tried.append(wanted)
        if wanted == self.bad:
            raise ActivationError("gate", "it answers its example wrongly")
        self.confirmed = Placed(wanted, "b")


@pytest.fixture
def node(tmp_path: Path) -> Node:
    return node_below(tmp_path)


def follow(fake: Fake) -> str | None:
    Server(fake).follow()  # type: ignore[arg-type]
    return fake.confirmed.deployment if fake.confirmed else None


def test_a_server_takes_what_the_pointer_names_and_nothing_again(node: Node) -> None:
    fake = Fake(node, NEW, OLD)
    assert follow(fake) == NEW
    follow(fake)
    assert fake.tried == [NEW]


def test_a_deployment_that_fails_leaves_the_old_one_serving_and_is_not_tried_each_second(
    node: Node, capsys: pytest.CaptureFixture[str]
) -> None:
    fake = Fake(node, NEW, OLD, bad=NEW)
    here = Server(fake)  # type: ignore[arg-type]
    here.follow()
    here.follow()
    assert (fake.confirmed, fake.tried) == (Placed(OLD, "a"), [NEW])
    assert "answers its example wrongly" in capsys.readouterr().err


def test_a_server_that_has_nothing_takes_the_deployment_before(node: Node) -> None:
    assert follow(Fake(node, NEW, None, bad=NEW, previous=OLD)) == OLD


def test_a_server_that_serves_waits_for_its_turn_and_one_that_does_not_waits_for_nobody(node: Node) -> None:
    handle = os.open(node.models, os.O_RDONLY)
    fcntl.flock(handle, fcntl.LOCK_EX)
    assert follow(Fake(node, NEW, None)) == NEW
    signal.signal(signal.SIGALRM, server.ending)
    signal.setitimer(signal.ITIMER_REAL, 0.2)
    fake = Fake(node, NEW, OLD)
    with pytest.raises(server.EndingError):
        follow(fake)
    assert fake.tried == []
    os.close(handle)
    for number in (signal.SIGTERM, signal.SIGALRM):
        signal.signal(number, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.default_int_handler)


def test_too_little_memory_is_one_line(tmp_path: Path) -> None:
    meminfo = tmp_path / "meminfo"
    meminfo.write_text("MemAvailable: 102400 kB\n")
    with pytest.raises(SystemExit) as ended:
        server.require_memory(meminfo)
    assert ended.value.code == "server: this host has 100 MiB of memory free, 512 are needed: free some, or scale in"


def child(code: str, folder: Path) -> Child:
    return Child((sys.executable, "-c", code), {}, folder)


def test_a_child_that_does_not_end_is_killed_with_its_whole_group(tmp_path: Path) -> None:
    code = (
        "import signal, sys; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('here', flush=True); signal.pause()"
    )
    found = child(code, tmp_path)
    while not found.lines:
        assert found.status is None
    found.end(signal.SIGTERM, 0.1)
    assert (found.status, list(found.lines)) == (-signal.SIGKILL, ["here"])


def test_what_ended_by_itself_is_started_again_and_what_was_stopped_is_not(
    node: Node, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(processes, "server_argv", lambda *_: (sys.executable, "-c", "print('served', flush=True)"))
    slots = Processes(node)
    (node.slots / "a").mkdir(parents=True)
    slots.start("a")
    first = slots.children["a"]
    first._process.wait()
    assert slots.failed("a") == "its process ended (0)"
    slots.revive()
    assert slots.children["a"] is not first
    slots.stop("a")
    slots.revive()
    assert slots.children == {}
    assert slots.failed("a") is None


def test_the_front_starts_once_and_only_when_something_serves(node: Node) -> None:
    started: list[Any] = []

    def front() -> Any:
        started.append(1)
        return SimpleNamespace(pid=0)

    slots = Processes(node, front)
    slots.link("previous.sock", "a")
    assert started == []
    slots.link("current.sock", "a")
    slots.link("current.sock", "b")
    assert started == [1]


def test_orphans_are_buried_and_own_children_left_to_who_waits_for_them(node: Node) -> None:
    with subprocess.Popen([sys.executable, "-c", ""]) as orphan:
        os.waitid(os.P_PID, orphan.pid, os.WEXITED | os.WNOWAIT)
        Processes(node).bury()
        with pytest.raises(ChildProcessError):
            os.waitpid(orphan.pid, os.WNOHANG)

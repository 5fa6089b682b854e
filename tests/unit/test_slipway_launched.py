"""A worker node's word that it is ready: when it works, once, and to a group that waits for it."""

import json
import socketserver
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import pytest
from slipway_node import launched

INSTANCE = "i-0123456789abcdef0"


class Group:
    """What the cloud says of the instance, and what it was told."""

    def __init__(self, state: str) -> None:
        self.state = state
        self.told: list[tuple[str, str, str]] = []

    def member(self, instance: str) -> tuple[str, str]:
        assert instance == INSTANCE
        return "workers", self.state

    def launched(self, group: str, instance: str, hook: str) -> None:
        self.told.append((group, instance, hook))


@pytest.mark.parametrize(
    ("state", "done", "told"),
    [
        ("Pending", False, []),
        ("Pending:Wait", True, [("workers", INSTANCE, "ready")]),
        ("Pending:Proceed", False, []),
        ("InService", True, []),
        ("Terminating:Wait", True, []),
        ("", True, []),
    ],
)
def test_a_group_is_told_while_it_waits_and_not_again(state: str, done: bool, told: list[Any]) -> None:
    group: Any = Group(state)
    assert launched.say(group, INSTANCE, "ready") is done
    assert group.told == told


class Server(socketserver.ThreadingUnixStreamServer):
    def get_request(self) -> Any:
        return self.socket.accept()[0], ("", 0)


@pytest.fixture
def answering(tmp_path: Path) -> Iterator[list[int]]:
    """A model server on `current.sock` that answers /readyz with the last status of the list."""
    statuses = [200]

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            assert self.path == "/readyz"
            body = json.dumps({}).encode()
            self.send_response(statuses[-1])
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Nothing."""

    with Server(str(tmp_path / "current.sock"), Handler) as server:
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        yield statuses
        server.shutdown()


@pytest.fixture
def node(tmp_path: Path) -> Any:
    class Node:
        run = tmp_path

    return Node()


@pytest.fixture
def units(monkeypatch: pytest.MonkeyPatch) -> dict[str, int]:
    """The exit status of `systemctl is-active` by unit."""
    found = {"slipway-worker.service": 0}

    def run(argv: list[str], **_: object) -> Any:
        return type("Done", (), {"returncode": found[argv[-1]]})

    monkeypatch.setattr("slipway_node.launched.subprocess.run", run)
    return found


def test_a_node_is_ready_when_its_model_server_is_and_its_worker_works(
    node: Any, answering: list[int], units: dict[str, int]
) -> None:
    assert launched.unready(node, "slipway-worker.service") == ""
    units["slipway-worker.service"] = 3
    assert launched.unready(node, "slipway-worker.service") == "slipway-worker.service is not active"
    answering.append(503)
    assert launched.unready(node, "slipway-worker.service") == "the model server answers 503"


def test_a_node_without_a_model_server_is_not_ready(node: Any) -> None:
    assert launched.unready(node, "slipway-worker.service").startswith("no model server answers: ")

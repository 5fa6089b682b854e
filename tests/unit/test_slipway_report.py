"""What a node tells of its server: /version, its counts, and the newest error in its journal."""

import json
import os
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from slipway_node import report
from slipway_node.node import Node

from tests.unit.slipway_rig import node_below

EXPOSITION = """# HELP slipway_requests_total Answers.
# TYPE slipway_requests_total counter
slipway_requests_total{model="iris",version="2",protocol="predict",status="200"} 40.0
slipway_requests_total{model="iris",version="2",protocol="predict",status="500"} 2.0
slipway_errors_total{model="iris",version="2",kind="model"} 2.0
slipway_requests_created{model="iris"} 1.8e+09
"""
ANSWERS = {"/version": json.dumps({"deployment": "3f2a9c1b7d20"}), "/metrics": EXPOSITION}


@pytest.fixture
def node(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Node:
    """Its journal has one error."""
    error = {"MESSAGE": json.dumps({"level": "error", "message": "it raised\nTraceback"})}
    program = tmp_path / "bin" / "journalctl"
    program.parent.mkdir()
    program.write_text(
        f"#!/bin/sh\ncat <<'END'\n{json.dumps({**error, '__REALTIME_TIMESTAMP': '1800000000000000'})}\nEND\n"
    )
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}:{os.environ['PATH']}")
    return node_below(tmp_path)


@pytest.fixture
def server(node: Node, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Something that answers on the socket of what serves. Paths of sockets are short, so it is named from below."""
    monkeypatch.chdir(node.run)
    monkeypatch.setattr(report, "_place", lambda _: Path("current.sock"))
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind("current.sock")
        listening.listen()

        def serve() -> None:
            while True:
                try:
                    connection, _ = listening.accept()
                except OSError:
                    return
                with connection, connection.makefile("rb") as lines:
                    text = ANSWERS[lines.readline().split()[1].decode()]
                    connection.sendall(f"HTTP/1.1 200 OK\r\nContent-Length: {len(text)}\r\n\r\n{text}".encode())

        threading.Thread(target=serve, daemon=True).start()
        yield
        listening.shutdown(socket.SHUT_RDWR)


@pytest.mark.usefixtures("server")
def test_a_server_is_told_with_its_counts_and_its_last_error(node: Node) -> None:
    found = report.server(node)
    assert found["version"] == {"deployment": "3f2a9c1b7d20"}
    assert found["counts"] == {"requests": 42.0, "errors": 2.0}
    assert found["last_error"] == {"time": 1_800_000_000.0, "message": "it raised"}
    assert "error" not in found


def test_a_server_that_does_not_answer_is_told_too(node: Node) -> None:
    assert report.server(node)["error"].startswith("no model server answers")


@pytest.mark.parametrize("line", ["", "no json", "{}", '{"MESSAGE": "text", "__REALTIME_TIMESTAMP": "1"}'])
def test_what_is_no_line_of_ours_is_no_error(line: str) -> None:
    assert report.parsed(line) is None

"""A share of the requests, and copies of them, on the real Nginx with servers of its own behind it."""

import http.client
import json
import os
import socket
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from socketserver import ThreadingMixIn, UnixStreamServer
from typing import Any

import pytest

import contract
from tests.unit.test_nginx import needs_nginx, served
from tests.waiting import until

pytestmark = needs_nginx
PREDICT = "/models/a%20b/invocations?x=1%2F2"
BODY = b'{"rows": [1]}'


@dataclass
class Slot:
    """A model server in place of one: answers with its name and `status`, and keeps what it was asked."""

    name: str
    folder: Path
    status: int = 200
    answering: threading.Event = field(default_factory=threading.Event)
    asked: list[tuple[str, bytes, dict[str, str]]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.answering.set()

    @property
    def socket(self) -> Path:
        return self.folder / f"{self.name}.sock"


class Server(ThreadingMixIn, UnixStreamServer):
    daemon_threads = True
    request_queue_size = 512

    def handle_error(self, request: object, client_address: object) -> None:
        """Nginx wants no more of a copy's answer than its head."""


def server(slot: Slot) -> Server:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            slot.asked.append((self.path, body, {key.lower(): value for key, value in self.headers.items()}))
            slot.answering.wait(30)
            content = slot.name.encode() * 1000
            self.send_response(slot.status)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        do_GET = do_POST  # noqa: N815

        def address_string(self) -> str:
            return ""

        def log_message(self, format: str, *args: Any) -> None:
            return

    return Server(str(slot.socket), Handler)


@dataclass
class Site:
    """Nginx, the slot that serves and the one of the candidate, and the folder that turns traffic on."""

    address: Path
    current: Slot
    candidate: Slot
    trial: Path

    def connect(self) -> http.client.HTTPConnection:
        connection = http.client.HTTPConnection("node", timeout=20)
        connection.sock = socket.socket(socket.AF_UNIX)
        connection.sock.settimeout(20)
        connection.sock.connect(str(self.address))
        return connection

    def share(self, percent: int) -> None:
        (self.trial / "candidate.sock").symlink_to(self.candidate.socket)
        for each in contract.TRIAL.percents:
            if each <= percent:
                (self.trial / f"share-{each}").touch()

    def shadow(self) -> None:
        (self.trial / "shadow.sock").symlink_to(self.candidate.socket)
        for name in ("shadow", *(f"share-{each}" for each in (*contract.TRIAL.percents, "rest"))):
            (self.trial / name).touch()


def ask(connection: http.client.HTTPConnection, key: str = "", method: str = "POST") -> tuple[int, str]:
    """The status, and the name of the slot that answered."""
    headers = {"Content-Type": "application/json", **({contract.HEADERS.key: key} if key else {})}
    connection.request(method, PREDICT, BODY, headers)
    answer = connection.getresponse()
    content = answer.read()
    assert answer.headers["Connection"] == "keep-alive"
    return answer.status, content[:1].decode()


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    run = tmp_path / "run/slipway"
    with ExitStack() as stack:
        generator = served(tmp_path)
        address = next(generator)
        stack.callback(lambda: next(generator, None))
        slots = Slot("a", run), Slot("b", run)
        for slot in slots:
            running = stack.enter_context(server(slot))
            thread = threading.Thread(target=running.serve_forever, args=(0.05,), daemon=True)
            thread.start()
            stack.callback(running.shutdown)
            stack.callback(slot.answering.set)
        os.symlink("a.sock", run / "current.sock")
        trial = tmp_path / "run/slipway-trial"
        trial.mkdir()
        yield Site(address, *slots, trial)


def test_without_a_trial_everything_goes_to_what_serves(site: Site) -> None:
    connection = site.connect()
    assert {ask(connection) for _ in range(50)} == {(200, "a")}
    assert site.candidate.asked == []
    path, body, headers = site.current.asked[0]
    assert (path, body) == (PREDICT, BODY)
    assert contract.HEADERS.compare.lower() not in headers


def test_a_share_is_about_that_share_and_the_same_keys_stay_in_when_it_grows(site: Site) -> None:
    connection, inside = site.connect(), set[str]()
    keys = [f"customer-{number}" for number in range(800)]
    for percent in contract.TRIAL.percents:
        (site.trial / "candidate.sock").unlink(missing_ok=True)
        site.share(percent)
        found = {key for key in keys if ask(connection, key) == (200, "b")}
        assert inside <= found, "who was in stays in"
        assert abs(len(found) / len(keys) - percent / 100) < 0.05
        assert {key for key in keys[:50] if ask(connection, key) == (200, "b")} == found & set(keys[:50]), "sticky"
        inside = found


def test_without_a_key_a_share_is_taken_at_random_and_only_of_predictions(site: Site) -> None:
    connection = site.connect()
    site.share(50)
    by = Counter(ask(connection)[1] for _ in range(400))
    assert 120 < by["b"] < 280
    assert {ask(connection, method="GET") for _ in range(20)} == {(200, "a")}


def test_what_the_candidate_fails_is_answered_by_what_serves(site: Site) -> None:
    connection = site.connect()
    site.share(50)
    site.candidate.status = 500
    assert {ask(connection) for _ in range(50)} == {(200, "a")}
    assert site.candidate.asked, "it was asked first"
    site.candidate.socket.unlink()
    assert {ask(connection) for _ in range(50)} == {(200, "a")}


def test_a_share_ends_as_soon_as_its_files_are_gone(site: Site) -> None:
    connection = site.connect()
    site.share(50)
    for name in site.trial.glob("share-*"):
        name.unlink()
    assert {ask(connection) for _ in range(50)} == {(200, "a")}


def test_a_shadow_gets_a_copy_of_each_prediction_under_the_same_id(site: Site) -> None:
    connection = site.connect()
    site.shadow()
    assert {ask(connection) for _ in range(30)} == {(200, "a")}
    until(lambda: len(site.candidate.asked) == 30, "all copies have come", 15)
    compare, given = (name.lower() for name in (contract.HEADERS.compare, contract.HEADERS.request_id))
    for ours, copy in zip(by_id(site.current), by_id(site.candidate), strict=True):
        assert (copy[0], copy[1]) == (ours[0], ours[1]) == (PREDICT, BODY)
        assert copy[2][compare] == ours[2][compare]
        assert copy[2][given] == ours[2][given]
        assert copy[2]["content-type"] == "application/json"
    assert ask(connection, method="GET") == (200, "a")
    assert len(site.candidate.asked) == 30


def by_id(slot: Slot) -> list[tuple[str, bytes, dict[str, str]]]:
    return sorted(slot.asked, key=lambda each: each[2][contract.HEADERS.compare.lower()])


def test_no_caller_waits_for_a_shadow_that_hangs_and_the_node_holds_few_copies(site: Site) -> None:
    connection = site.connect()
    site.shadow()
    site.candidate.answering.clear()
    begun = time.monotonic()
    assert {ask(connection) for _ in range(3 * contract.TRIAL.at_once)} == {(200, "a")}
    assert time.monotonic() - begun < contract.TRIAL.answer_seconds, "one that waits for its copy takes longer"
    assert 0 < len(site.candidate.asked) <= contract.TRIAL.at_once


def test_a_shadow_that_fails_or_is_gone_changes_no_answer(site: Site) -> None:
    connection = site.connect()
    site.shadow()
    site.candidate.status = 500
    assert {ask(connection) for _ in range(30)} == {(200, "a")}
    until(lambda: len(site.candidate.asked) == 30, "each was copied", 15)
    site.candidate.socket.unlink()
    assert {ask(connection) for _ in range(30)} == {(200, "a")}


def test_errors_keep_their_shape_during_a_trial(site: Site) -> None:
    connection = site.connect()
    site.share(50)
    for slot in (site.current, site.candidate):
        slot.socket.unlink()
    for _ in range(20):
        connection.request("POST", PREDICT, BODY)
        answer = connection.getresponse()
        assert answer.status == 502
        assert json.loads(answer.read())["error"] == "no server answered on this node"

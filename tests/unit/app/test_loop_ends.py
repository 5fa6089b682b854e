"""A connection that ends while its client sends: the request is answered, or it was not taken at all."""

import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.waiting import until

from .loop_server import LoopServer
from .wire import Wire, post

ASK = post("/predict", {"x": 1.5})
LATER = 1e6  # seconds: every deadline has passed by then


@pytest.fixture
def server(loop: Callable[..., LoopServer]) -> LoopServer:
    return loop("scaled")


@pytest.fixture
def kept(server: LoopServer) -> Iterator[Wire]:
    """A connection that has served, and is idle."""
    wire = Wire(server.path)
    wire.send(ASK)
    assert wire.reply().headers["Connection"] == "keep-alive"
    yield wire
    wire.close()


def in_loop(server: LoopServer, work: Callable[[], Any]) -> None:
    """Nothing is read meanwhile."""
    done = threading.Event()

    def run() -> None:
        try:
            work()
        finally:
            done.set()

    server.loop.call_soon_threadsafe(run)
    assert done.wait(60)


def expire(server: LoopServer) -> None:
    server.site.expire(time.monotonic() + LATER)


def test_a_request_that_waits_to_be_read_when_its_connection_expires_is_answered(
    server: LoopServer, kept: Wire
) -> None:
    def late() -> None:
        kept.send(ASK)
        expire(server)

    in_loop(server, late)
    reply = kept.reply()
    assert (reply.status, reply.headers["Connection"]) == (200, "keep-alive")


def test_a_request_that_comes_in_the_moment_between_looking_and_closing_is_answered(
    server: LoopServer, kept: Wire, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.loop.connection.polled", lambda *_: False)

    def late() -> None:
        kept.send(ASK)
        expire(server)

    in_loop(server, late)
    reply = kept.reply()
    assert (reply.status, reply.headers["Connection"]) == (200, "close")
    assert kept.is_closed


def test_a_worker_that_drains_answers_what_waits_to_be_read(server: LoopServer, kept: Wire) -> None:
    def late() -> None:
        kept.send(ASK)
        server.site.drain(time.monotonic() - 1)
        server.site.expire(time.monotonic())

    fresh = Wire(server.path)
    until(lambda: len(server.site.connections) == 3, "the server has them all")
    in_loop(server, late)
    reply = kept.reply()
    assert (reply.status, reply.headers["Connection"]) == (200, "close")
    fresh.send(ASK)
    assert fresh.reply().status == 200, "a connection that was only just taken is not closed before its first request"
    fresh.close()


def test_who_sends_over_a_connection_that_has_ended_is_told_that_nothing_was_taken(
    server: LoopServer, kept: Wire
) -> None:
    told: list[type[Exception]] = []

    def late() -> None:
        expire(server)
        try:
            kept.send(ASK)
        except OSError as error:
            told.append(type(error))

    in_loop(server, late)
    assert told == [BrokenPipeError]
    assert kept.is_closed


def test_half_a_request_on_a_connection_that_has_ended_gets_no_answer(
    server: LoopServer, kept: Wire, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.loop.connection.polled", lambda *_: False)

    def late() -> None:
        kept.send(ASK[:20])
        expire(server)

    in_loop(server, late)
    assert kept.is_closed, "a client that sees this asks again"
    until(lambda: not server.site.connections, "it is gone")

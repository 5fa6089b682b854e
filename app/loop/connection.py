"""One HTTP/1.1 connection: requests to the handler in order, one write per answer, and a time limit on the client.

Requests that a client pipelines wait for their turn, and reading stops meanwhile. After a request that is refused, the
rest of the connection is read and dropped for a while, so that the client gets to see the answer.

An idle connection ends in two steps, because a request may arrive while it does (RFC 9112, 9.3.1): first it takes
nothing more, then what had come already is answered. So whoever could send a request gets its answer.
"""

import asyncio
import contextlib
import os
import select
import socket
import time
from typing import Any, Protocol

from app.loop.limits import Limits
from app.loop.message import Answer, Request, encode
from app.loop.receiver import Receiver

NEVER = float("inf")
CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"


class Handler(Protocol):
    """What connections belong to."""

    limits: Limits
    draining: bool
    connections: "set[Connection]"

    def handle(self, request: Request, connection: "Connection") -> None:
        """Must lead to one `connection.answer` with the same request, now or later."""

    def gone(self, request: Request) -> None:
        """The client of a request that was not answered yet has left."""


class Connection(asyncio.Protocol):
    transport: asyncio.Transport

    def __init__(self, handler: Handler) -> None:
        self.handler, self.limits = handler, handler.limits
        self.received = Receiver(handler.limits)
        self.active: Request | None = None
        self.since = time.monotonic()
        self.deadline = self.since + self.limits.client_seconds
        self._stage = 0
        self._closing = False  # no more answers
        self._ended = False  # the client sends no more
        self._parting = False  # the client can send no more
        self._paused = False  # reading, since requests wait

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport  # type: ignore[assignment]
        self.handler.connections.add(self)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002
        self.handler.connections.discard(self)
        self.deadline = NEVER
        self._closing = True
        self.received.close()
        if self.active is not None:
            self.handler.gone(self.active)

    def data_received(self, data: bytes) -> None:
        self.received.feed(data)
        if self.received.stage != self._stage:
            self._stage = self.received.stage
            self.deadline = time.monotonic() + self.limits.client_seconds
        self._advance()

    def eof_received(self) -> bool:
        """A client that has sent all may still wait for answers; one that has left altogether does not."""
        self._ended = True
        if hung_up(self.transport) or (self._parting and self.received.coming is not None):
            self.transport.abort()
            return False
        if self.received.coming is not None:
            self.received.refuse(400, "the request ended before it was complete")
            self._advance()
        return self.active is not None or bool(self.received.ready)

    def pause_writing(self) -> None:
        self.transport.pause_reading()
        self.deadline = time.monotonic() + self.limits.client_seconds

    def resume_writing(self) -> None:
        self._rest()
        if not self._paused and not self.transport.is_closing():
            self.transport.resume_reading()

    def _advance(self) -> None:
        ready = self.received.ready
        while self.active is None and ready and not self._closing:
            self.active = request = ready.popleft()
            self.deadline = NEVER
            request.started = time.monotonic()
            self.handler.handle(request, self)
        if self._closing:
            return
        if bool(ready) != self._paused:
            self._paused = not self._paused
            (self.transport.pause_reading if self._paused else self.transport.resume_reading)()
        if self.received.wants_continue and self.active is None and not ready:
            self.received.wants_continue = False
            self.transport.write(CONTINUE)

    def answer(self, request: Request, answer: Answer) -> None:
        """Writes it, unless the client has left."""
        if self.active is not request or self._closing:
            return
        self.active = None
        ready = self.received.ready
        is_last = (self._ended or self._parting) and not ready
        keep = request.keep_alive and not self.handler.draining and not is_last
        self.transport.write(encode(answer, request, keep))
        if not keep:
            self._finish()
            return
        self._rest()
        if ready or self.received.wants_continue:
            asyncio.get_running_loop().call_soon(self._advance)

    def _rest(self) -> None:
        """Sets the time by which the client has to do something."""
        if self.active is None and not self._closing:
            limits = self.limits
            seconds = limits.idle_seconds if self.received.coming is None else limits.client_seconds
            self.deadline = time.monotonic() + seconds

    def _finish(self) -> None:
        """A client that is still sending must be able to read the last answer before the connection goes away."""
        self._closing = True
        lingers = self.received.deaf and not self._ended and self.transport.can_write_eof()
        self.received.close()
        if not lingers:
            self.transport.close()
            return
        self.transport.write_eof()
        if self._paused:
            self.transport.resume_reading()
        self.deadline = time.monotonic() + self.limits.linger_seconds

    @property
    def is_idle(self) -> bool:
        return self.active is None and self.received.coming is None and not self.received.ready and not self._parting

    def expire(self) -> None:
        """Its deadline has passed."""
        self.deadline = NEVER
        is_closing = self._closing or self._parting or self.transport.is_closing()
        if is_closing or self.transport.get_write_buffer_size():
            self.transport.abort()
        elif self.received.coming is not None:
            seconds = self.limits.client_seconds
            self.received.refuse(408, f"the request took longer than {seconds:g} seconds to arrive")
            self._advance()
        elif polled(self.transport, select.POLLIN):  # this loop was late: what has come is read next
            self._rest()
        else:
            self._parting = True
            self.deadline = time.monotonic() + self.limits.linger_seconds
            take_no_more(self.transport)


def hung_up(transport: Any) -> bool:
    """Whether the other end is closed in both directions, so that nobody can read an answer."""
    return polled(transport, select.POLLHUP)


def polled(transport: Any, wanted: int) -> bool:
    poll = select.poll()
    poll.register(transport.get_extra_info("socket").fileno(), wanted)
    return any(events & wanted for _, events in poll.poll(0))


def take_no_more(transport: Any) -> None:
    """From now on whoever sends is told so (EPIPE); the loop reads what was sent before, then the end."""
    with (
        socket.socket(fileno=os.dup(transport.get_extra_info("socket").fileno())) as one,
        contextlib.suppress(OSError),  # the other end has gone meanwhile
    ):
        one.shutdown(socket.SHUT_RD)

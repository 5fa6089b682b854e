"""What all connections of a worker share: where a request goes, and which answers are the loop's own."""

import asyncio
from wsgiref.types import WSGIApplication

from app.core.errors import OverloadedError, ServingError
from app.core.serving import Serving
from app.http.access import request_id
from app.http.relay import KEY, Outcome
from app.loop.connection import Connection
from app.loop.journal import Journal
from app.loop.limits import Limits
from app.loop.mailbox import Mailbox
from app.loop.message import Answer, Request, header_lines
from app.loop.refusal import HttpError, refusal
from app.loop.short import COMPARE, Pending, Short
from app.loop.wsgi import Application, FullError
from contract import HEADERS


class Site:
    def __init__(self, app: WSGIApplication, serving: Serving, limits: Limits, loop: asyncio.AbstractEventLoop) -> None:
        self.limits = limits
        self.draining = False
        self.connections: set[Connection] = set()
        self._headers = {"Content-Type": "application/json", HEADERS.deployment: serving.deployment.id}
        if default := serving.default():
            self._headers[HEADERS.model] = default.label
        self._mailbox = Mailbox(loop)
        self.journal = Journal(loop, serving.deployment.id, serving.meters)
        self._short = Short(serving, self._mailbox, self.journal, loop)
        self._application = Application(app, self._mailbox)

    def handle(self, request: Request, connection: Connection) -> None:
        if request.refusal is not None:
            self._refuse(request, connection, HttpError(*request.refusal))
            return
        if self._short.begin(request, connection, self._answered) is None:
            self._flask(request, connection)

    def _answered(self, pending: Pending, answer: Answer | None) -> None:
        if answer is not None:
            pending.connection.answer(pending.request, answer)
            self._compare(pending.request, answer)
        else:
            assert pending.call is not None
            self._flask(
                pending.request,
                pending.connection,
                Outcome(pending.call, pending.request_id, pending.parse_seconds),
            )

    def _flask(self, request: Request, connection: Connection, outcome: Outcome | None = None) -> None:
        def done(answer: Answer | None) -> None:
            if answer is not None:
                connection.answer(request, answer)
                request.compare = request.compare or request.header(COMPARE) or b""
                self._compare(request, answer)
            else:
                self._refuse(request, connection, HttpError(500, "the server failed; its log has the trace"))

        try:
            self._application.run(request, done, {KEY: outcome} if outcome else {})
        except FullError:
            self._refuse(request, connection, OverloadedError("too many requests are waiting in this worker already"))

    def _refuse(self, request: Request, connection: Connection, error: ServingError) -> None:
        given = (request.header(b"x-request-id") or b"").decode("latin-1")
        chosen = request_id(given)
        headers = {**self._headers, HEADERS.request_id: chosen}
        answer = refusal(request, error, chosen, header_lines(headers.items()))
        self.journal.request(request, answer, chosen, {"error": error.code}, {})
        self.journal.error(error)
        connection.answer(request, answer)

    def _compare(self, request: Request, answer: Answer) -> None:
        """A shadow's answer, and the one that it is compared with: both carry the id."""
        if request.compare:
            self.journal.compared(request, answer)

    def gone(self, request: Request) -> None:
        """Nobody waits for the answer any more."""
        if request.pending is not None and request.pending.call is not None:
            request.pending.call.abandoned = True

    def expire(self, now: float) -> None:
        """Ends what a client has been too slow with."""
        for connection in [one for one in self.connections if one.deadline <= now]:
            connection.expire()

    def drain(self, until: float) -> None:
        """From now on every answer is its connection's last; idle ones are closed soon: a request may be on its way.

        One that was only just taken has as long as the others had.
        """
        self.draining = True
        for connection in self.connections:
            if connection.is_idle:
                soon = max(until, connection.since + self.limits.linger_seconds)
                connection.deadline = min(connection.deadline, soon)

    def close(self) -> None:
        for connection in list(self.connections):
            connection.transport.abort()
        self.journal.flush()
        self._application.close()

"""The short path: a plain prediction from its bytes to its answer, in the loop and on the scoring thread alone.

It must not be told from Flask's path: same answer, same headers, same line in the log. Whatever is not plain falls
through to Flask before anything has happened, and so does the rendering of every error but overload.
"""

import asyncio
import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

import numpy

from app.core import plain
from app.core.batch import Call, Timings
from app.core.deployment import ModelVersion
from app.core.errors import OverloadedError
from app.core.inputs import Input
from app.core.model import render
from app.core.plain import Layout, Table
from app.core.serving import Serving
from app.http.access import milliseconds, request_id
from app.loop.connection import Connection
from app.loop.journal import Journal
from app.loop.mailbox import Mailbox
from app.loop.message import Answer, Request, header_lines
from app.loop.refusal import refusal
from contract import HEADERS

Parse = Callable[[bytes, Layout], Table | None]

JSON_TYPES = frozenset({b"application/json", b"application/json; charset=utf-8", b"application/json;charset=utf-8"})
REQUEST_ID = HEADERS.request_id.encode()
PLAIN_KINDS = "fiubU"  # of NumPy: what json writes as MLflow's encoder does


@dataclass(frozen=True, slots=True)
class Route:
    version: ModelVersion
    parse: Parse
    protocol: str
    headers: bytes


@dataclass(slots=True, eq=False)
class Pending:
    request: Request
    connection: Connection
    route: Route
    request_id: str
    parse_seconds: float
    answered: "Answered"
    call: Call | None = None


Answered = Callable[[Pending, Answer | None], None]


class Short:
    def __init__(self, serving: Serving, mailbox: Mailbox, journal: Journal, loop: asyncio.AbstractEventLoop) -> None:
        self._serving, self._mailbox, self._journal, self._loop = serving, mailbox, journal, loop
        self._routes = routes(serving)
        self._gathered: list[Call] = []

    def begin(self, request: Request, connection: Connection, answered: Answered) -> Pending | None:
        """None when it is not plain. Else `answered` comes, without an answer when Flask should render the error."""
        route = self._routes.get(bytes(request.target)) if request.method == b"POST" else None
        if route is None or request.too_large:
            return None
        lane = self._serving.lane(route.version)
        if lane is None or lane.layout is None or (route.protocol == "predict" and lane.has_labels):
            return None
        chosen = plain_id(request)
        if chosen is None:
            return None
        started = time.monotonic()
        table = route.parse(bytes(request.body), lane.layout)
        if table is None:
            return None
        pending = Pending(request, connection, route, chosen, time.monotonic() - started, answered)
        timings = Timings(request_id=chosen, protocol=route.protocol)
        try:
            pending.call = self._serving.admit(lane.model, table, timings, self._done(pending))
        except OverloadedError as error:
            self._overloaded(pending, error, table.rows)
            return pending
        if not self._gathered:
            self._loop.call_soon(self._send)
        self._gathered.append(pending.call)
        return pending

    def _send(self) -> None:
        """Everything that came in one turn of the loop, as one."""
        calls, self._gathered = self._gathered, []
        self._serving.scoring.enqueue(calls)

    def _done(self, pending: Pending) -> Callable[[Call], None]:
        return lambda _: self._mailbox.put(self._answer, pending)

    def _answer(self, pending: Pending) -> None:
        call = pending.call
        assert call is not None
        if call.error is not None:
            pending.answered(pending, None)
            return
        answer = Answer(200, head(pending), written(call.predictions))
        timings = call.timings
        steps = {"queue_ms": milliseconds(timings.queue), "predict_ms": milliseconds(timings.predict)}
        self._close(pending, answer, {"rows": call.rows}, steps)

    def _overloaded(self, pending: Pending, error: OverloadedError, rows: int) -> None:
        answer = refusal(pending.request, error, pending.request_id, head(pending))
        self._close(pending, answer, {"rows": rows, "error": error.code}, {"queue_ms": 0.0, "predict_ms": 0.0})
        self._journal.error(error, pending.route.version)

    def _close(self, pending: Pending, answer: Answer, facts: dict[str, Any], steps: dict[str, float]) -> None:
        version = pending.route.version
        facts = {"model": version.name, "version": version.version, **facts}
        steps = {"parse_ms": milliseconds(pending.parse_seconds), **steps}
        self._journal.request(pending.request, answer, pending.request_id, facts, steps)
        pending.answered(pending, answer)


def head(pending: Pending) -> bytes:
    return b"%s%s: %s\r\n" % (pending.route.headers, REQUEST_ID, pending.request_id.encode())


def routes(serving: Serving) -> dict[bytes, Route]:
    """The exact targets of plain predictions."""
    found: dict[bytes, Route] = {}
    default = serving.default()
    for version in serving.deployment.models:
        lines = {"Content-Type": "application/json", HEADERS.deployment: serving.deployment.id}
        lines[HEADERS.model] = version.label
        head = header_lines(lines.items())
        invocations = Route(version, plain.invocation, "mlflow", head)
        predict = Route(version, plain.rows, "predict", head)
        name = quote(version.name, safe="").encode()
        found[b"/models/%s/invocations" % name], found[b"/predict/%s" % name] = invocations, predict
        if version == default:
            found[b"/invocations"], found[b"/predict"] = invocations, predict
    return found


def plain_id(request: Request) -> str | None:
    """The request's id, if its headers are those of plain JSON."""
    given, is_json = b"", False
    for name, value in request.headers:
        if name == b"content-type":
            if is_json or value.lower() not in JSON_TYPES:
                return None
            is_json = True
        elif name == b"content-encoding":
            return None
        elif name == b"x-request-id":
            given = value
    if not is_json:
        return None
    return request_id(given.decode("latin-1"))


def written(predictions: Any) -> bytes:
    """As `render` writes it; an array of plain values needs no encoder's help for that."""
    if isinstance(predictions, numpy.ndarray) and predictions.dtype.kind in PLAIN_KINDS:
        return json.dumps({"predictions": predictions.tolist()}).encode()
    return render(predictions, Input(None, None)).encode()

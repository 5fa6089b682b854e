"""The short path: a plain prediction from its bytes to its answer, in the loop and on the scoring thread alone.

It must not be told from Flask's path: same answer, same headers, same line in the log. Whatever is not plain falls
through to Flask before anything has happened, and so does the rendering of every error but overload.
"""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import quote

from app.core import openinference_plain, plain
from app.core.batch import Call, Timings
from app.core.deployment import ModelVersion
from app.core.errors import OverloadedError
from app.core.openinference_signature import LABELS
from app.core.plain import Layout, Table
from app.core.serving import Serving
from app.http.access import milliseconds, request_id
from app.loop.connection import Connection
from app.loop.journal import Journal, Line
from app.loop.mailbox import Mailbox
from app.loop.message import Answer, Request, header_lines
from app.loop.refusal import refusal
from app.loop.rendered import rendered
from contract import HEADERS

Parse = Callable[[bytes, Layout], Table | None]

JSON_TYPES = frozenset({b"application/json", b"application/json; charset=utf-8", b"application/json;charset=utf-8"})
NOT_PLAIN = frozenset({b"content-encoding", b"inference-header-content-length", b"prefer"})
REQUEST_ID = HEADERS.request_id.encode()
COMPARE = HEADERS.compare.lower().encode()


@dataclass(frozen=True, slots=True)
class Route:
    version: ModelVersion
    parse: Parse
    protocol: str
    headers: bytes
    line: Line


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
        self._routes = routes(serving, journal)
        self._gathered: list[Call] = []

    def begin(self, request: Request, connection: Connection, answered: Answered) -> Pending | None:
        """None when it is not plain. Else `answered` comes, without an answer when Flask should render the error.

        `request.pending` is set as long as the prediction is under way.
        """
        route = self._routes.get(bytes(request.target)) if request.method == b"POST" else None
        if route is None or request.too_large:
            return None
        lane = self._serving.lane(route.version)
        if lane is None or lane.layout is None:
            return None
        chosen = plain_id(request, may_lack_type=route.protocol == "v2")
        if chosen is None:
            return None
        started = time.monotonic()
        table = route.parse(bytes(request.body), lane.layout)
        if table is None:
            return None
        labelled = lane.labels is not None and wants_labels(route.protocol, table)
        if labelled and not lane.row_wise:
            return None
        pending = Pending(request, connection, route, chosen, time.monotonic() - started, answered)
        timings = Timings(request_id=chosen, protocol=route.protocol)
        try:
            call = Call(lane, table, timings, self._scored, table.rows, labelled=labelled, owner=pending)
            self._serving.scoring.admit(call)
        except OverloadedError as error:
            self._overloaded(pending, error, table.rows)
            return pending
        pending.call, request.pending = call, pending
        if not self._gathered:
            self._loop.call_soon(self._send)
        self._gathered.append(call)
        return pending

    def _send(self) -> None:
        """Everything that came in one turn of the loop, as one."""
        calls, self._gathered = self._gathered, []
        self._serving.scoring.enqueue(calls)

    def _scored(self, call: Call) -> None:
        """On the scoring thread."""
        self._mailbox.put(self._answer, call)

    def _answer(self, call: Call) -> None:
        pending: Pending = call.owner
        call.owner = pending.request.pending = None  # no cycle is left for the collector to find
        try:
            body = b"" if call.error is not None else rendered(call, pending.route.protocol)
        except Exception as error:  # whatever it is, somebody waits, and Flask renders it
            call.error = error
        if call.error is not None:
            pending.answered(pending, None)
            return
        request, timings = pending.request, call.timings
        answer = Answer(200, head(pending), body)
        taken = (time.monotonic() - request.started, pending.parse_seconds, timings.queue, timings.predict)
        pending.answered(pending, answer)
        sizes = len(request.body), len(answer.body)
        self._journal.predicted(pending.route.line, pending.request_id, call.rows, sizes, taken)

    def _overloaded(self, pending: Pending, error: OverloadedError, rows: int) -> None:
        version = pending.route.version
        answer = refusal(pending.request, error, pending.request_id, head(pending))
        facts = {"model": version.name, "version": version.version, "rows": rows, "error": error.code}
        steps = {"parse_ms": milliseconds(pending.parse_seconds), "queue_ms": 0.0, "predict_ms": 0.0}
        pending.answered(pending, answer)
        self._journal.request(pending.request, answer, pending.request_id, facts, steps)
        self._journal.error(error, version)


def head(pending: Pending) -> bytes:
    return b"%s%s: %s\r\n" % (pending.route.headers, REQUEST_ID, pending.request_id.encode())


def routes(serving: Serving, journal: Journal) -> dict[bytes, Route]:
    """The exact targets of plain predictions."""
    found: dict[bytes, Route] = {}
    default = serving.default()

    def add(target: bytes, version: ModelVersion, parse: Parse, spoken: str, headers: bytes) -> None:
        found[target] = Route(version, parse, spoken, headers, journal.line(target, spoken, version))

    for version in serving.deployment.models:
        lines = {"Content-Type": "application/json", HEADERS.deployment: serving.deployment.id}
        lines[HEADERS.model] = version.label
        head = header_lines(lines.items())
        name = quote(version.name, safe="").encode()
        for target in (b"/models/%s/invocations" % name, *([b"/invocations"] if version == default else [])):
            add(target, version, plain.invocation, "mlflow", head)
        for target in (b"/predict/%s" % name, *([b"/predict"] if version == default else [])):
            add(target, version, plain.rows, "predict", head)
        number = quote(version.version, safe="").encode()
        for target in (b"/v2/models/%s/infer" % name, b"/v2/models/%s/versions/%s/infer" % (name, number)):
            add(target, version, openinference_plain.infer, "v2", head)
    return found


def wants_labels(spoken: str, table: Table) -> bool:
    """Whether the answer may need a classifier's probabilities."""
    if table.asked is None:
        return spoken == "predict"
    return any(wanted.name in LABELS for wanted in table.asked.outputs)


def plain_id(request: Request, *, may_lack_type: bool = False) -> str | None:
    """The request's id, if its headers are those of plain JSON. Notes when its answer is to be compared."""
    given, is_json = b"", False
    for name, value in request.headers:
        if name == b"content-type":
            if is_json or value.lower() not in JSON_TYPES:
                return None
            is_json = True
        elif name in NOT_PLAIN:
            return None
        elif name == b"x-request-id":
            given = value
        elif name == COMPARE:
            request.compare = value
    if not (is_json or may_lack_type):
        return None
    return request_id(given.decode("latin-1"))

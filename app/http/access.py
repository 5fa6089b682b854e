"""Around every request: its id, the headers that every answer carries, and one line in the access log."""

import logging
import re
import time
import uuid

from flask import Flask, Response, g, request

from app.core.batch import Timings
from app.core.meters import SERVER
from app.http.state import Record, record, serving
from contract import HEADERS

# An id that Nginx or a client chose is kept when it is safe in a header and in a log.
SAFE_ID = re.compile(r"[A-Za-z0-9._:/+=@-]{1,128}")

# The protocols by the first part of their paths; MLflow's routes end in /invocations.
PROTOCOLS = {"invocations": "mlflow", "models": "mlflow", "predict": "predict", "v2": "v2"}

# Balancers and engines ask these all the time: as in Nginx's log, only an answer that is not 200 is news.
PROBES = ("/livez", "/readyz")

log = logging.getLogger("app.access")


def register(app: Flask) -> None:
    app.before_request(_begin)
    app.after_request(_finish)


def request_id(given: str) -> str:
    """The id that Nginx or the client chose, or a new one."""
    return given if SAFE_ID.fullmatch(given) else uuid.uuid4().hex


def _begin() -> None:
    given = request.headers.get(HEADERS.request_id, "")
    chosen = request_id(given)
    timings = Timings(request_id=chosen, protocol=protocol(request.method, request.path))
    g.record = Record(chosen, timings=timings)


def _finish(response: Response) -> Response:
    facts = record()
    version = facts.model or serving().default()
    response.headers[HEADERS.request_id] = facts.request_id
    response.headers[HEADERS.deployment] = serving().deployment.id
    if version:
        response.headers[HEADERS.model] = version.label
    if request.path not in PROBES or response.status_code != 200:
        _log(response, facts)
    _count(response.status_code, facts)
    return response


def _log(response: Response, facts: Record) -> None:
    line = {
        "request_id": facts.request_id,
        "deployment": serving().deployment.id,
        "method": request.method,
        "path": request.path[:200],
        "status": response.status_code,
        "model": facts.model.name if facts.model else None,
        "version": facts.model.version if facts.model else None,
        "rows": facts.rows,
        "error": facts.error,
        "request_bytes": request.content_length,
        "response_bytes": response.content_length,
        "total_ms": milliseconds(time.monotonic() - facts.started),
        "parse_ms": milliseconds(facts.parse_seconds),
        "queue_ms": milliseconds(facts.timings.queue),
        "predict_ms": milliseconds(facts.timings.predict),
    }
    log.info("request", extra={key: value for key, value in line.items() if value is not None})


def protocol(method: str, path: str) -> str:
    """The protocol that such a request speaks, for the meters."""
    if path == "/" and method == "POST":  # the page's form
        return "predict"
    return PROTOCOLS.get(path.lstrip("/").partition("/")[0], SERVER)


def _count(status: int, facts: Record) -> None:
    name, version = (facts.model.name, facts.model.version) if facts.model else ("", "")
    spoken = protocol(request.method, request.path)
    serving().meters.request(name, version, spoken, status, time.monotonic() - facts.started)
    if facts.kind:
        serving().meters.error(name, version, facts.kind)


def milliseconds(seconds: float) -> float:
    return round(seconds * 1000, 3)

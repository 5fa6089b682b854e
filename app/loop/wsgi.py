"""A WSGI application (PEP 3333) on threads: a request as its environ, its iterable as one answer with a length.

There are two pools. Only a POST can wait for a prediction; everything else has threads of its own, so that health is
answered when every thread of the other pool waits.
"""

import io
import logging
import sys
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from urllib.parse import unquote_to_bytes
from wsgiref.types import WSGIApplication

import httptools

from app.core.serving import BLOCKED_LIMIT
from app.loop.mailbox import Mailbox
from app.loop.message import Answer, Request, header_lines

WAITING_THREADS = BLOCKED_LIMIT + 32  # a thread that may not wait is soon free again, to refuse the next
OTHER_THREADS = 4
BACKLOG = 256  # requests that wait for a thread

# Those of one connection are not the application's to send.
HOP_BY_HOP = frozenset({"connection", "keep-alive", "transfer-encoding", "te", "trailer", "upgrade", "content-length"})

# What this server has dealt with itself: the body is whole, and no other protocol is spoken.
SETTLED = ("HTTP_TRANSFER_ENCODING", "HTTP_EXPECT", "HTTP_UPGRADE", "HTTP_CONNECTION")

log = logging.getLogger(__name__)

Done = Callable[[Answer | None], None]


class FullError(Exception):
    """Too many requests wait for a thread."""


class Application:
    def __init__(self, app: WSGIApplication, mailbox: Mailbox) -> None:
        self._app, self._mailbox = app, mailbox
        self._waiting = ThreadPoolExecutor(WAITING_THREADS, "flask")
        self._others = ThreadPoolExecutor(OTHER_THREADS, "flask-health")
        self._inside = 0

    def run(self, request: Request, done: Done, extra: dict[str, Any]) -> None:
        """`done(answer)` comes in the loop; the answer is None when the application failed to give one."""
        if self._inside >= WAITING_THREADS + BACKLOG:
            raise FullError
        self._inside += 1
        pool = self._waiting if request.method == b"POST" and not request.too_large else self._others
        pool.submit(self._work, request, done, extra)

    def _work(self, request: Request, done: Done, extra: dict[str, Any]) -> None:
        answer = None
        try:
            answer = call(self._app, {**environ(request), **extra}, request)
        except Exception:
            log.exception("the application failed")
        self._mailbox.put(self._out, done, answer)

    def _out(self, done: Done, answer: Answer | None) -> None:
        self._inside -= 1
        done(answer)

    def close(self) -> None:
        self._waiting.shutdown(wait=False, cancel_futures=True)
        self._others.shutdown(wait=False, cancel_futures=True)


def environ(request: Request) -> dict[str, Any]:
    raw, query = _address(request.target)
    found: dict[str, Any] = {
        "REQUEST_METHOD": request.method.decode("latin-1"),
        "SCRIPT_NAME": "",
        "PATH_INFO": unquote_to_bytes(raw).decode("latin-1"),
        "QUERY_STRING": query.decode("latin-1"),
        "RAW_URI": request.target.decode("latin-1"),
        "SERVER_NAME": "localhost",
        "SERVER_PORT": "80",
        "SERVER_PROTOCOL": f"HTTP/{request.version}",
        "SERVER_SOFTWARE": "slipway",
        "REMOTE_ADDR": "",
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": "http",
        "wsgi.input": io.BytesIO(request.body),
        "wsgi.input_terminated": True,
        "wsgi.errors": sys.stderr,
        "wsgi.multithread": True,
        "wsgi.multiprocess": True,
        "wsgi.run_once": False,
    }
    for name, value in request.headers:
        _add(found, name, value.decode("latin-1"))
    for settled in SETTLED:
        found.pop(settled, None)
    if request.too_large or request.body or "CONTENT_LENGTH" in found:
        found["CONTENT_LENGTH"] = str(request.too_large or len(request.body))
    return found


def _address(target: bytes) -> tuple[bytes, bytes]:
    """The path and the query of any form of target: `/path?query`, `http://host/path`, `*`, `host:port`."""
    if target.startswith(b"/"):
        path, _, query = target.partition(b"?")
        return path.partition(b"#")[0], query.partition(b"#")[0]
    try:
        parsed = httptools.parse_url(target)
    except httptools.HttpParserInvalidURLError:
        return target, b""
    return parsed.path or b"/", parsed.query or b""


def _add(found: dict[str, Any], name: bytes, value: str) -> None:
    if b"_" in name:  # it would be taken for the name with hyphens, which a proxy in front may have checked
        return
    key = name.decode("latin-1").upper().replace("-", "_")
    if key not in ("CONTENT_TYPE", "CONTENT_LENGTH"):
        key = f"HTTP_{key}"
    if key in found and key != "CONTENT_LENGTH":
        value = f"{found[key]}{'; ' if key == 'HTTP_COOKIE' else ','}{value}"
    found[key] = value


def call(app: WSGIApplication, given: dict[str, Any], request: Request) -> Answer:
    """Runs the application to its end. Nothing has been sent before that, so a late failure costs no half answer."""
    started: list[tuple[str, list[tuple[str, str]]]] = []
    written: list[bytes] = []

    def start_response(status: str, headers: list[tuple[str, str]], exc_info: Any = None) -> Callable[[bytes], object]:
        if started and exc_info is None:
            raise AssertionError("start_response was called twice")
        started[:] = [(status, headers)]
        return written.append

    result: Iterable[bytes] = app(given, start_response)
    try:
        written.extend(result)
    finally:
        if hasattr(result, "close"):
            result.close()
    [(status, headers)] = started
    return _answer(int(status[:3]), headers, b"".join(written), request)


def _answer(status: int, headers: list[tuple[str, str]], body: bytes, request: Request) -> Answer:
    lines: list[tuple[str, str]] = []
    length = None
    for name, value in headers:
        if "\n" in name + value or "\r" in name + value:
            raise ValueError("a header holds a line break")
        if name.lower() not in HOP_BY_HOP and name.lower() != "date":
            lines.append((name, value))
        elif name.lower() == "content-length" and request.method == b"HEAD":
            length = int(value)
    return Answer(status, header_lines(lines), body, length)

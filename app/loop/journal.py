"""The access log and the meters of what the loop answers itself: the same line as Flask's path writes, many at once.

At ten thousand requests a second, a write and a pass through `logging` for each would cost more than the HTTP, and so
would making each line from nothing: what all predictions of one route have in common is encoded once.
"""

import asyncio
import logging
import os
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import orjson

from app.core.deployment import ModelVersion
from app.core.digest import digest
from app.core.meters import Meters, kind
from app.http.access import milliseconds, protocol, request_id
from app.loop.message import Answer, Request

log = logging.getLogger("app.access")

Key = tuple[str, str, str, int]
"""Model, version, protocol, status: what requests are counted by."""


@dataclass(slots=True, eq=False)
class Line:
    """What the lines of one route's predictions share, and those of this turn, as text from `rows` on."""

    key: Key
    shared: str
    ends: list[str] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)


class Journal:
    def __init__(self, loop: asyncio.AbstractEventLoop, deployment: str, meters: Meters) -> None:
        self._loop, self._deployment, self._meters = loop, deployment, meters
        self._others: list[str] = []
        self._seconds: dict[Key, list[float]] = {}
        self._written: list[Line] = []
        self._waiting = False
        self._common = {"level": "info", "logger": log.name, "message": "request", "pid": os.getpid()}

    def line(self, target: bytes, spoken: str, version: ModelVersion) -> Line:
        """For the predictions of one target that are answered with 200."""
        facts = {"deployment": self._deployment, "method": "POST", "path": target.decode("latin-1")[:200]}
        shared = {**self._common, **facts, "status": 200, "model": version.name, "version": version.version}
        return Line((version.name, version.version, spoken, 200), orjson.dumps(shared)[1:-1].decode())

    def predicted(
        self, line: Line, request_id: str, rows: int, sizes: tuple[int, int], steps: tuple[float, float, float, float]
    ) -> None:
        """`sizes`: bytes in and out; `steps`: seconds of the whole, of parsing, in the line and of the predict."""
        if not line.ends:
            self._written.append(line)
            self._wake()
        total, parse, queue, predict = steps
        line.seconds.append(total)
        line.ends.append(
            f'"request_id":"{request_id}","rows":{rows},"request_bytes":{sizes[0]},"response_bytes":{sizes[1]},'
            f'"total_ms":{total * 1000:.3f},"parse_ms":{parse * 1000:.3f},"queue_ms":{queue * 1000:.3f},'
            f'"predict_ms":{predict * 1000:.3f}}}'
        )

    def request(
        self, request: Request, answer: Answer, request_id: str, facts: dict[str, Any], steps: dict[str, float]
    ) -> None:
        """Any other request. `facts` and `steps` go into the line as they are."""
        seconds = time.monotonic() - request.started
        method, path = request.method.decode("latin-1"), request.path.decode("latin-1")
        line = {
            **self._common,
            "request_id": request_id,
            "deployment": self._deployment,
            "method": method,
            "path": path[:200],
            "status": answer.status,
            **facts,
            "request_bytes": len(request.body),
            "response_bytes": len(answer.body),
            "total_ms": milliseconds(seconds),
            **steps,
        }
        self._wake()
        self._others.append(orjson.dumps(line)[1:].decode())
        key = (facts.get("model", ""), facts.get("version", ""), protocol(method, path), answer.status)
        self._seconds.setdefault(key, []).append(seconds)

    def compared(self, request: Request, answer: Answer) -> None:
        """The answer's digest, under the id that a copy of the request carries too."""
        line = {
            **self._common,
            "message": "answer",
            "compare": request.compare.decode("latin-1")[:64],
            "request_id": request_id((request.header(b"x-request-id") or b"").decode("latin-1")),
            "status": answer.status,
            "digest": digest(bytes(answer.body)),
        }
        self._wake()
        self._others.append(orjson.dumps(line)[1:].decode())

    def error(self, error: Exception, version: ModelVersion | None = None) -> None:
        name, number = (version.name, version.version) if version else ("", "")
        self._meters.error(name, number, kind(error))

    def _wake(self) -> None:
        if not self._waiting:
            self._waiting = True
            self._loop.call_soon(self.flush)

    def flush(self) -> None:
        self._waiting = False
        start = f'{{"time":"{datetime.now(UTC).isoformat(timespec="milliseconds")}",'
        lines = [start + other for other in self._others]
        for key, seconds in self._seconds.items():
            self._meters.requests(*key, seconds)
        self._others.clear()
        self._seconds.clear()
        for line in self._written:
            shared = f"{start}{line.shared},"
            lines += [shared + end for end in line.ends]
            self._meters.requests(*line.key, line.seconds)
            line.ends.clear()
            line.seconds.clear()
        self._written.clear()
        write(lines)


def write(lines: list[str]) -> None:
    """In one write, under the lock of the handler that other threads log through."""
    if not lines or not log.isEnabledFor(logging.INFO):
        return
    for handler in logging.getLogger().handlers:
        if isinstance(handler, logging.StreamHandler):
            handler.acquire()
            try:
                handler.stream.write("\n".join(lines) + handler.terminator)
                handler.flush()
            finally:
                handler.release()

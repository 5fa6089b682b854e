"""The access log and the meters of what the loop answers itself: the same line as Flask's path writes, many at once.

At ten thousand requests a second, a write and a pass through `logging` for each would cost more than the HTTP.
"""

import asyncio
import logging
import os
import time
from collections import defaultdict
from datetime import UTC, datetime
from typing import Any

import orjson

from app.core.deployment import ModelVersion
from app.core.meters import Meters, kind
from app.http.access import milliseconds, protocol
from app.loop.message import Answer, Request

log = logging.getLogger("app.access")


class Journal:
    def __init__(self, loop: asyncio.AbstractEventLoop, deployment: str, meters: Meters) -> None:
        self._loop, self._deployment, self._meters = loop, deployment, meters
        self._lines: list[bytes] = []
        self._seconds: dict[tuple[str, str, str, int], list[float]] = defaultdict(list)
        self._pid = os.getpid()

    def request(
        self, request: Request, answer: Answer, request_id: str, facts: dict[str, Any], steps: dict[str, float]
    ) -> None:
        """`facts` and `steps` go into the line as they are."""
        seconds = time.monotonic() - request.started
        method, path = request.method.decode("latin-1"), request.path.decode("latin-1")
        line = {
            "time": datetime.now(UTC).isoformat(timespec="milliseconds"),
            "level": "info",
            "logger": log.name,
            "message": "request",
            "pid": self._pid,
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
        if not self._lines:
            self._loop.call_soon(self.flush)
        self._lines.append(orjson.dumps(line))
        key = (facts.get("model", ""), facts.get("version", ""), protocol(method, path), answer.status)
        self._seconds[key].append(seconds)

    def error(self, error: Exception, version: ModelVersion | None = None) -> None:
        name, number = (version.name, version.version) if version else ("", "")
        self._meters.error(name, number, kind(error))

    def flush(self) -> None:
        for key, seconds in self._seconds.items():
            self._meters.requests(*key, seconds)
        self._seconds.clear()
        self._write()

    def _write(self) -> None:
        """In one write, under the lock of the handler that other threads log through."""
        lines, self._lines = self._lines, []
        if not lines or not log.isEnabledFor(logging.INFO):
            return
        text = b"\n".join(lines).decode()
        for handler in logging.getLogger().handlers:
            if isinstance(handler, logging.StreamHandler):
                handler.acquire()
                try:
                    handler.stream.write(text + handler.terminator)
                    handler.flush()
                finally:
                    handler.release()

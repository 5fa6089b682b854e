"""The access log of what the loop answers itself: the same line as Flask's path writes, many lines in one write.

At ten thousand requests a second, a write and a pass through `logging` for each would cost more than the HTTP.
"""

import asyncio
import logging
import os
import time
from datetime import UTC, datetime
from typing import Any

import orjson

from app.loop.message import Answer, Request

log = logging.getLogger("app.access")


class Journal:
    def __init__(self, loop: asyncio.AbstractEventLoop, deployment: str) -> None:
        self._loop, self._deployment = loop, deployment
        self._lines: list[bytes] = []
        self._pid = os.getpid()

    def request(
        self, request: Request, answer: Answer, request_id: str, facts: dict[str, Any], steps: dict[str, float]
    ) -> None:
        line = {
            "time": datetime.now(UTC).isoformat(timespec="milliseconds"),
            "level": "info",
            "logger": log.name,
            "message": "request",
            "pid": self._pid,
            "request_id": request_id,
            "deployment": self._deployment,
            "method": request.method.decode("latin-1"),
            "path": request.path.decode("latin-1")[:200],
            "status": answer.status,
            **facts,
            "request_bytes": len(request.body),
            "response_bytes": len(answer.body),
            "total_ms": milliseconds(time.monotonic() - request.started),
            **steps,
        }
        if not self._lines:
            self._loop.call_soon(self.flush)
        self._lines.append(orjson.dumps(line))

    def flush(self) -> None:
        """In one write, under the lock of the handler that other threads log through."""
        if not self._lines or not log.isEnabledFor(logging.INFO):
            return
        text = b"\n".join(self._lines).decode()
        self._lines.clear()
        for handler in logging.getLogger().handlers:
            if isinstance(handler, logging.StreamHandler):
                handler.acquire()
                try:
                    handler.stream.write(text + handler.terminator)
                    handler.flush()
                finally:
                    handler.release()


def milliseconds(seconds: float) -> float:
    return round(seconds * 1000, 3)

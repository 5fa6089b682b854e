"""The record of every call, as CloudTrail keeps one: a JSON object per line and permission.

It is what a test holds against the rendered IAM policies: who used which action on what, and which grants nobody used.
The file is bounded: at its limit it becomes `<name>.1`, and a new one begins.
"""

import json
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from localcloud.api.actions import Call
from localcloud.api.callers import Caller

LIMIT_BYTES = 32 << 20


class CallRecord:
    """Appends to `path`; without one, keeps nothing. Safe from any thread."""

    def __init__(self, path: Path | None, limit_bytes: int = LIMIT_BYTES) -> None:
        self._path, self._limit = path, limit_bytes
        self._lock = threading.Lock()

    def add(self, call: Call, caller: Caller | None, status: int, error: str = "") -> None:
        if self._path is None:
            return
        common: dict[str, Any] = {
            "time": datetime.now(UTC).isoformat(timespec="milliseconds"),
            "caller": caller.arn if caller else "",
            "session": caller.session if caller else "",
            "access_key": call.access_key,
            "service": call.service,
            "operation": call.operation,
            "status": status,
        }
        if error:
            common["error"] = error
        lines = [
            json.dumps(common | {"action": each.action, "resource": each.resource, "context": dict(each.context)})
            for each in call.permissions
        ]
        with self._lock:
            self._append("".join(f"{line}\n" for line in lines))

    def _append(self, text: str) -> None:
        assert self._path is not None
        if self._path.exists() and self._path.stat().st_size + len(text) > self._limit:
            self._path.replace(self._path.with_name(f"{self._path.name}.1"))
        with self._path.open("a") as file:
            file.write(text)


def read(path: Path) -> Iterator[dict[str, Any]]:
    """All recorded calls, oldest first."""
    for part in (path.with_name(f"{path.name}.1"), path):
        if part.exists():
            for line in part.read_text().splitlines():
                yield json.loads(line)

"""The prediction log: some inputs with their outputs, as JSON lines in a folder of the server's own. Off by default.

It costs a prediction one random number. What is drawn is written by a thread of its own, which drops samples rather
than let them pile up. All workers append to one file; at its size it becomes the older one, and the older one goes: so
there are never more than twice `FILE_BYTES`.
"""

import fcntl
import json
import logging
import os
import queue
import random
import threading
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy
import pandas

from app.core.batch import Call
from app.core.inputs import Input
from app.core.plain import Table

FILE, OLDER, LOCK = "predictions.jsonl", "predictions.1.jsonl", "lock"
FILE_BYTES = 8 * 2**20
LINE_BYTES = 64 * 2**10  # of a sample that is larger, only its size is told
WAITING_AT_MOST = 100

log = logging.getLogger(__name__)


class Samples:
    def __init__(self, folder: Path, share: float, deployment: str, file_bytes: int = FILE_BYTES) -> None:
        """`share` of the predictions, from 0 to 1."""
        self.folder, self._share, self._deployment, self._file_bytes = folder, share, deployment, file_bytes
        self._queue: queue.Queue[tuple[str, Call]] = queue.Queue(WAITING_AT_MOST)

    def start(self) -> None:
        """After the fork."""
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        threading.Thread(target=self._run, name="samples", daemon=True).start()

    def offer(self, calls: Sequence[Call]) -> None:
        """On the scoring thread, of calls that have their predictions."""
        for call in calls:
            if random.random() < self._share and call.error is None and isinstance(call.given, Input | Table):  # noqa: S311
                try:
                    self._queue.put_nowait((datetime.now(UTC).isoformat(timespec="milliseconds"), call))
                except queue.Full:
                    return

    def flush(self) -> None:
        """Until everything that was drawn is written."""
        self._queue.join()

    def _run(self) -> None:
        while True:
            time, call = self._queue.get()
            try:
                self._append(self._line(time, call))
            except (OSError, ValueError, TypeError) as error:
                log.error("a sampled prediction cannot be kept: %s", error)
            finally:
                self._queue.task_done()

    def _line(self, time: str, call: Call) -> bytes:
        version = call.lane.model.version
        facts = {"time": time, "deployment": self._deployment, "model": version.name, "version": version.version}
        given = call.given.frame() if isinstance(call.given, Table) else getattr(call.given, "data", None)
        payload = {"input": _plain(given), "output": _plain(call.predictions)}
        line = _dump({**facts, "rows": call.rows, **payload})
        return line if len(line) <= LINE_BYTES else _dump({**facts, "rows": call.rows, "too_large_bytes": len(line)})

    def _append(self, line: bytes) -> None:
        """Under a lock of the file system, since the other workers' threads do the same."""
        with (self.folder / LOCK).open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            path = self.folder / FILE
            if path.exists() and path.stat().st_size + len(line) > self._file_bytes:
                os.replace(path, self.folder / OLDER)
            with path.open("ab") as file:
                file.write(line)


def _dump(value: dict[str, Any]) -> bytes:
    return json.dumps(value, ensure_ascii=False, default=str).encode() + b"\n"


def _plain(value: Any) -> Any:
    """A frame in the form that /invocations takes; arrays as lists."""
    if isinstance(value, pandas.DataFrame):
        split = json.loads(value.to_json(orient="split", date_format="iso", default_handler=str))
        return {"dataframe_split": {"columns": split["columns"], "data": split["data"]}}
    if isinstance(value, pandas.Series | numpy.ndarray | numpy.generic):
        return value.tolist()
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    return [_plain(item) for item in value] if isinstance(value, list | tuple) else value

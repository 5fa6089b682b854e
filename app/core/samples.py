"""The prediction log: some inputs with their outputs, as JSON lines in a folder of the server's own. Off by default.

It costs a prediction one random number. What is drawn is written by a thread of its own, which drops samples rather
than let them pile up or keep a prediction waiting. Every sample that was drawn is counted, with what became of it.
"""

import base64
import json
import logging
import queue
import random
import threading
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any, Literal

import numpy
import orjson
import pandas

from app.core.batch import Call
from app.core.errors import ModelFailedError
from app.core.inputs import Input
from app.core.model import render
from app.core.plain import Table
from app.core.sample_files import SampleFiles

LINE_BYTES = 64 * 2**10  # of a sample that is larger, only the number of its rows is told
WAITING_AT_MOST = 100
STOP_SECONDS = 20.0
COMPLAINT_SECONDS = 60.0

Result = Literal["kept", "too_large", "busy", "over_daily_bound", "dropped", "failed"]
RESULTS: tuple[Result, ...] = ("kept", "too_large", "busy", "over_daily_bound", "dropped", "failed")

log = logging.getLogger(__name__)


class Samples:
    """`dropped` is counted of samples that had been kept: they made room for newer ones before they were shipped."""

    def __init__(
        self, files: SampleFiles, share: float, deployment: str, count: Callable[[Result, int], None] = lambda *_: None
    ) -> None:
        """`share` of the predictions, from 0 to 1."""
        self.files, self._share, self._deployment, self._count = files, share, deployment, count
        self._queue: queue.Queue[tuple[str, Call] | None] = queue.Queue(WAITING_AT_MOST)
        self._thread = threading.Thread(target=self._run, name="samples", daemon=True)
        self._complained = -COMPLAINT_SECONDS

    def start(self) -> None:
        """After the fork."""
        self.files.make()
        self._thread.start()

    def offer(self, calls: Sequence[Call]) -> None:
        """On the scoring thread, of calls that have their predictions."""
        for call in calls:
            if random.random() < self._share and call.error is None and isinstance(call.given, Input | Table):  # noqa: S311
                try:
                    self._queue.put_nowait((datetime.now(UTC).isoformat(timespec="milliseconds"), call))
                except queue.Full:
                    self._count("busy", 1)

    def flush(self) -> None:
        """Until everything that was drawn is written."""
        self._queue.join()

    def stop(self) -> None:
        """At the worker's end: what was drawn is written, unless that takes too long."""
        if self._thread.is_alive():
            try:
                self._queue.put(None, timeout=STOP_SECONDS)
            except queue.Full:
                return
            self._thread.join(STOP_SECONDS)

    def _run(self) -> None:
        while (drawn := self._queue.get()) is not None:
            try:
                self._keep(*drawn)
            except (OSError, ValueError, TypeError, ModelFailedError) as error:
                self._count("failed", 1)
                self._complain(error)
            finally:
                self._queue.task_done()
        self._queue.task_done()

    def _keep(self, drawn: str, call: Call) -> None:
        result: Result = "kept"
        line = b"" if _is_too_large(call) else self._line(drawn, call, {"input": _body(call), "output": _answer(call)})
        if not 0 < len(line) <= LINE_BYTES:
            line, result = self._line(drawn, call, {"too_large": True}), "too_large"
        written, dropped = self.files.append(line)
        self._count(result if written else "over_daily_bound", 1)
        if dropped:
            self._count("dropped", dropped)

    def _complain(self, error: Exception) -> None:
        now = time.monotonic()
        if now - self._complained >= COMPLAINT_SECONDS:
            self._complained = now
            log.error("sampled predictions cannot be kept: %s", error)

    def _line(self, drawn: str, call: Call, payload: dict[str, Any]) -> bytes:
        version = call.lane.model.version
        facts: dict[str, Any] = {
            "request_id": call.timings.request_id,
            "time": drawn,
            "deployment": self._deployment,
            "model": version.name,
            "version": version.version,
            "protocol": call.timings.protocol,
            "rows": call.rows,
            **payload,
        }
        return orjson.dumps(facts, default=str, option=orjson.OPT_NON_STR_KEYS) + b"\n"


def _is_too_large(call: Call) -> bool:
    """So many values that writing them down is not even tried: each takes two bytes at least."""
    size: Any = call.rows
    if isinstance(call.given, Table):
        size *= len(call.given.layout.names)
    elif isinstance(call.given, Input):
        size = max(size, getattr(call.given.data, "size", 0))
    return bool(2 * size > LINE_BYTES)


def _body(call: Call) -> Any:
    """A body of /invocations with the same input, whichever protocol it came by."""
    given = Input(call.given.frame(), None) if isinstance(call.given, Table) else call.given
    assert isinstance(given, Input)
    if given.unwrapped:
        return _plain(given.data)
    body = _plain(given.data) if isinstance(given.data, pandas.DataFrame) else {"inputs": _plain(given.data)}
    return body if given.params is None else {**body, "params": _plain(given.params)}


def _answer(call: Call) -> Any:
    """As /invocations answers it, without the key around it."""
    given = call.given if isinstance(call.given, Input) else Input(None, None)
    answer = json.loads(render(call.predictions, given))
    return answer if given.unwrapped else answer["predictions"]


def _text(value: Any) -> Any:
    """Bytes as a signature's binary column takes them in JSON."""
    return base64.b64encode(value).decode() if isinstance(value, bytes) else value


def _plain(value: Any) -> Any:
    """A frame in the form that /invocations takes; arrays as lists."""
    if isinstance(value, pandas.DataFrame):
        value = value.map(_text)
        split = json.loads(value.to_json(orient="split", date_format="iso", default_handler=str))
        return {"dataframe_split": {"columns": split["columns"], "data": split["data"]}}
    if isinstance(value, pandas.Series | numpy.ndarray | numpy.generic):
        return value.tolist()
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    return [_plain(item) for item in value] if isinstance(value, list | tuple) else value

"""What this worker counts: requests, batches and errors, as plain lists of numbers that anyone can add up.

A histogram is its buckets' counts followed by the sum. So other workers' numbers, those of workers that ended and those
of the last minutes are all merged by adding lists, and no metrics library stands on the way of a prediction.
A worker's numbers are on disk (`snapshots.py`) before anyone is told of them: a killed worker never takes them back.
"""

import logging
import os
import threading
import time
from bisect import bisect_left
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from app.core.memory import proportional_bytes
from app.core.snapshots import Folder, Series, Snapshot

SECONDS = (1e-4, 2.5e-4, 5e-4, 1e-3, 2.5e-3, 5e-3, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
SIZES = (1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0, 512.0, 1024.0)

REQUEST, ERROR, RECENT, EXIT, SAMPLE = "request", "error", "recent", "exit", "sample"
QUEUE, PREDICT, BATCH_ROWS, BATCH_REQUESTS = "queue", "predict", "batch_rows", "batch_requests"
BOUNDS = {
    REQUEST: SECONDS,
    RECENT: SECONDS,
    QUEUE: SECONDS,
    PREDICT: SECONDS,
    BATCH_ROWS: SIZES,
    BATCH_REQUESTS: SIZES,
    ERROR: (),
    SAMPLE: (),
}

SERVER = "server"  # the protocol of what is no prediction: health, metrics, the page
CLASSES = {number: f"{number}xx" for number in range(1, 6)}
TICK_SECONDS = 1.0
MEMORY_SECONDS = 15.0  # the kernel walks every page of the process for this number
RING_SECONDS, RING_STEP = 300, 5

log = logging.getLogger(__name__)

About = Callable[[], dict[str, Any]]


class Meters:
    """`folder` is None where there is one worker and no server around it."""

    def __init__(self, folder: Folder | None = None) -> None:
        self.folder = folder
        self._series: Series = {}
        self._seen: Series = {}  # of each request series, as it was at the last tick
        self._lock = threading.Lock()
        self._publishing = threading.Lock()  # an older snapshot must not replace a newer one
        self._stopped = threading.Event()
        self._worker = 0
        self._about: About = dict
        self._started = False
        self._since = time.time()
        self._memory = (-MEMORY_SECONDS, 0)

    def request(self, model: str, version: str, protocol: str, status: int, seconds: float) -> None:
        """One answer; `seconds` from its first byte in to its last byte out. Model and version "" when unknown."""
        self.requests(model, version, protocol, status, (seconds,))

    def requests(self, model: str, version: str, protocol: str, status: int, seconds: Iterable[float]) -> None:
        """Many answers of one kind at once: a batch's."""
        key = (REQUEST, model, version, protocol, CLASSES.get(status // 100, "5xx"))
        with self._lock:
            numbers = self._numbers(key)
            for taken in seconds:
                numbers[bisect_left(SECONDS, taken)] += 1
                numbers[-1] += taken

    def batch(
        self, model: str, version: str, *, rows: int, requests: int, queue_seconds: float, predict_seconds: float
    ) -> None:
        """One predict: how much it answered at once, how long its oldest request had waited, how long it took."""
        with self._lock:
            for family, bounds, value in (
                (BATCH_ROWS, SIZES, rows),
                (BATCH_REQUESTS, SIZES, requests),
                (QUEUE, SECONDS, queue_seconds),
                (PREDICT, SECONDS, predict_seconds),
            ):
                numbers = self._numbers((family, model, version))
                numbers[bisect_left(bounds, value)] += 1
                numbers[-1] += value

    def error(self, model: str, version: str, kind: str) -> None:
        """`kind` out of a small set: see `kind()`. An error is also a request, with its status."""
        with self._lock:
            self._numbers((ERROR, model, version, kind))[0] += 1

    def sample(self, result: str, samples: int = 1) -> None:
        """Of the prediction log: what became of so many samples."""
        with self._lock:
            self._numbers((SAMPLE, result))[0] += samples

    def start(self, worker: int, about: About) -> None:
        """After the fork. `about()` is what only the server knows: `ready`, `in_flight`, the models' status."""
        self._worker, self._about, self._since, self._started = worker, about, time.time(), True
        if self.folder is not None:
            threading.Thread(target=self._run, name="meters", daemon=True).start()

    def stop(self) -> None:
        """At the worker's end: its last numbers."""
        if self._started:
            self._stopped.set()
            self.publish()

    def fold(self, worker: int) -> None:
        """In the master, of a worker that has ended."""
        if self.folder is not None:
            self.folder.fold(worker, {(EXIT,): [1]})

    def publish(self) -> Snapshot:
        """This worker now, on disk before it is returned."""
        with self._publishing:
            snapshot = Snapshot(self._worker, self._describe(), self._tick())
            if self.folder is not None:
                try:
                    self.folder.write(snapshot)
                except OSError as error:
                    log.error("what this worker counts cannot be kept: %s", error)
            return snapshot

    def collect(self) -> tuple[list[Snapshot], Series]:
        """Every worker that lives, this one fresh, and the sum of all that ended."""
        own = self.publish()
        if self.folder is None:
            return [own], {}
        workers, past = self.folder.read()
        others = [worker for worker in workers if worker.number != own.number]
        return sorted([own, *others], key=lambda worker: worker.number), past

    def _run(self) -> None:
        while not self._stopped.wait(TICK_SECONDS):
            self.publish()

    def _numbers(self, key: tuple[str, ...]) -> list[float]:
        found = self._series.get(key)
        if found is None:
            bounds = BOUNDS[key[0]]
            found = self._series[key] = [0] * (len(bounds) + 2 if bounds else 1)
        return found

    def _tick(self) -> Series:
        """A copy of all numbers, after what came since the last one was added to the ring of the last minutes."""
        now = time.time()
        step = str(int(now) // RING_STEP * RING_STEP)
        with self._lock:
            for key in [key for key in self._series if key[0] == REQUEST and key[3] != SERVER]:
                numbers, seen = self._series[key], self._seen.get(key)
                if seen != numbers:
                    recent = self._numbers((RECENT, step, key[1], key[4]))
                    for place, number in enumerate(numbers):
                        recent[place] += number - (seen[place] if seen else 0)
                    self._seen[key] = numbers.copy()
            forget(self._series, now)
            return {key: numbers.copy() for key, numbers in self._series.items()}

    def _describe(self) -> dict[str, Any]:
        now = time.monotonic()
        if now - self._memory[0] >= MEMORY_SECONDS:
            self._memory = (now, proportional_bytes())
        return {"pid": os.getpid(), "since": self._since, "memory_bytes": self._memory[1], **self._about()}


def folder(run: Path, slot: str, deployment: str) -> Folder:
    """Where a slot's workers keep their numbers, ready for the first of them."""
    made = Folder(run / f"{slot}.meters", f"{deployment} {SECONDS} {SIZES}", forget)
    made.begin()
    return made


def forget(series: Series, now: float) -> None:
    """Drops what is older than the ring: the only numbers whose labels grow with time."""
    for key in [key for key in series if key[0] == RECENT and float(key[1]) < now - RING_SECONDS]:
        del series[key]


def kind(error: Exception) -> str:
    """An exception's class as a label: `BadInputError` is `bad_input`."""
    name = type(error).__name__.removesuffix("Error")
    return "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in name).lstrip("_")

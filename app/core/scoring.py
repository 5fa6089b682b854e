"""The one thread of a worker that loads models and runs them, and the line in front of it.

One thread, because not every model is safe from two, and because numeric libraries keep a thread pool per caller.
Whatever has queued for a model by the time the thread is free is the next batch: there is no timer to wait for.
The line is bounded by what a newcomer would have to wait, not only by its length: work that nobody will wait for is
refused while refusing is still cheap.
"""

import logging
import queue
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any

from app.core import batch
from app.core.batch import Call
from app.core.errors import OverloadedError
from app.core.lane import Lane
from contract import HTTP

QUEUE_LIMIT = 1024  # predictions waiting or running in one worker
WAIT_SECONDS = 1.0  # nobody joins a line that is longer than this ...
WAIT_PREDICTS = 8  # ... or than so many predicts of a slow model

log = logging.getLogger(__name__)

Batched = Callable[[list[Call], float, float], None]


class Scoring:
    def __init__(self, batched: Batched) -> None:
        """`batched(calls, queue_seconds, predict_seconds)` is told of every batch, on the scoring thread."""
        self.predicting_since: float | None = None  # time.monotonic(); gunicorn's heartbeat stands still while it does
        self.waiting = 0
        self._lanes: list[Lane] = []
        self._batched = batched
        self._queue: queue.SimpleQueue[list[Call] | Callable[[], None]] = queue.SimpleQueue()
        self._lock = threading.Lock()
        # A daemon: a predict that never returns must not hold up the end of the process.
        threading.Thread(target=self._run, name="scoring", daemon=True).start()

    def submit(self, work: Callable[[], Any]) -> "Future[Any]":
        """Runs it on the scoring thread, after what was there before."""
        done: Future[Any] = Future()

        def run() -> None:
            try:
                done.set_result(work())
            except BaseException as error:
                done.set_exception(error)

        self._queue.put(run)
        return done

    def timed(self, work: Callable[[], Any]) -> Any:
        """On the scoring thread: runs what may take too long, under the eyes of gunicorn's timeout."""
        self.predicting_since = time.monotonic()
        try:
            return work()
        finally:
            self.predicting_since = None

    def admit(self, call: Call) -> None:
        """Lets the call into the line, or raises OverloadedError at once. `enqueue` must follow."""
        lane = call.lane
        with self._lock:
            if self.waiting:
                self._refuse(lane)
            self.waiting += 1
            lane.waiting += 1
            lane.waiting_rows += call.rows
            if not lane.is_known:
                lane.is_known = True
                self._lanes.append(lane)

    def _refuse(self, lane: Lane) -> None:
        if self.waiting >= QUEUE_LIMIT:
            raise OverloadedError(f"{self.waiting} predictions are waiting in this worker already")
        wait = self._lanes[0].seconds if len(self._lanes) == 1 else sum(each.seconds for each in self._lanes)
        if wait > WAIT_SECONDS and wait > min(WAIT_PREDICTS * lane.pace.seconds(1, 1), HTTP.predict_seconds):
            raise OverloadedError(f"a prediction would have to wait about {wait:.1f} seconds in this worker")

    def enqueue(self, calls: list[Call]) -> None:
        """Calls that were admitted, as one: the thread sees all or none of them."""
        self._queue.put(calls)

    def _run(self) -> None:
        waiting: list[Call] = []
        while True:
            item = self._queue.get() if not waiting else None
            while item is not None or not self._queue.empty():
                item = item or self._queue.get()
                if isinstance(item, list):
                    waiting += item
                else:
                    item()
                item = None
            if waiting:
                self._next(waiting)

    def _next(self, waiting: list[Call]) -> None:
        taken = waiting[:1]
        try:
            taken = batch.take(waiting)
            wanted = [call for call in taken if not call.abandoned]
            if wanted:
                self._score(wanted)
        except Exception as error:  # a bug of ours: it is answered, logged by whoever answers, and the thread goes on
            waiting[:] = [call for call in waiting if call not in taken]
            for call in taken:
                call.error = call.error or error
        self._release(taken)
        for call in taken:
            call.done(call)

    def _score(self, calls: list[Call]) -> None:
        started = time.monotonic()
        batch.score(calls, self._clock)
        seconds = time.monotonic() - started
        for call in calls:
            call.timings.queue += started - call.queued
            call.timings.predict += seconds
        self._batched(calls, started - calls[0].queued, seconds)

    def _clock(self, lane: Lane, rows: int, work: Callable[[], Any]) -> Any:
        started = time.monotonic()
        result = self.timed(work)
        lane.pace.saw(rows, time.monotonic() - started)
        return result

    def _release(self, calls: list[Call]) -> None:
        with self._lock:
            self.waiting -= len(calls)
            for call in calls:
                call.lane.waiting -= 1
                call.lane.waiting_rows -= call.rows

"""Whether the queue has room, without a count for each request: a count now and then, and what came in since.

The time between two counts grows with what one takes, so that counting a long queue never becomes the work.
"""

import logging
import threading
import time
from collections.abc import Callable

from jobs.database import AWAY

EVERY_SECONDS = 1.0
COST = 20  # a count may take this part of the time

log = logging.getLogger(__name__)


class Fullness:
    """`count` returns how many jobs are queued, counted to its argument."""

    def __init__(self, limit: int, count: Callable[[int], int]) -> None:
        self._limit, self._count = limit, count
        self._counted = self._since = 0
        self._lock = threading.Lock()
        self._ended = threading.Event()

    @property
    def queued(self) -> int:
        return self._counted + self._since

    def start(self) -> None:
        threading.Thread(target=self._work, name="fullness", daemon=True).start()

    def stop(self) -> None:
        self._ended.set()

    def admit(self) -> bool:
        """Takes a place, if there is one."""
        with self._lock:
            if self.queued >= self._limit:
                return False
            self._since += 1
            return True

    def refresh(self) -> float:
        """Counts, and returns in how many seconds to do so again. A database that is away leaves the count as it is."""
        started = time.monotonic()
        with self._lock:
            before = self._since
        try:
            counted = self._count(self._limit)
        except AWAY:
            return EVERY_SECONDS
        with self._lock:
            self._counted, self._since = counted, self._since - before
        return max(EVERY_SECONDS, COST * (time.monotonic() - started))

    def _work(self) -> None:
        while not self._ended.wait(self.refresh()):
            pass

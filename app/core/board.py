"""Which workers are ready, in memory that all of them share: the server is ready once all have been, and stays so.

Made before the workers are forked. A worker that is replaced later takes no connection until it is ready itself,
so readiness need never be taken back, and a health check cannot end a node that still serves.
"""

import mmap

SLOTS = 1024


class Board:
    def __init__(self, workers: int = 1) -> None:
        self.workers = workers
        self._memory = mmap.mmap(-1, SLOTS + 1)

    def ready(self, worker: int) -> None:
        self._memory[worker % SLOTS] = 1
        if self.count >= self.workers:
            self._memory[SLOTS] = 1

    def gone(self, worker: int) -> None:
        self._memory[worker % SLOTS] = 0

    @property
    def count(self) -> int:
        return sum(self._memory[:SLOTS])

    @property
    def complete(self) -> bool:
        """Whether every worker has been ready at once, now or before."""
        return self._memory[SLOTS] == 1

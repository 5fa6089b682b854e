"""How many connections each worker has, in memory that all of them share, so that one does not take them all.

Workers listen on one Unix socket, where the kernel wakes whoever is quickest: the one with the least to do should be.
Made when the module is imported, in the master, before any worker is forked.
"""

import mmap

SLOTS = 1024


class Loads:
    def __init__(self) -> None:
        self._counts = memoryview(mmap.mmap(-1, 4 * SLOTS)).cast("i")

    def set(self, worker: int, connections: int) -> None:
        self._counts[worker % SLOTS] = connections + 1

    def gone(self, worker: int) -> None:
        self._counts[worker % SLOTS] = 0

    @property
    def least(self) -> int:
        """The smallest number of connections of any worker that takes them."""
        return min(filter(None, self._counts.tolist()), default=1) - 1


LOADS = Loads()

"""How much memory a worker may hold before it makes room for another, in order: a model that leaks costs no request.

The bound grows with the worker's number, so that workers that leak alike do not leave at the same moment. A worker may
always hold twice what it held when its models were ready: a large model is no leak.
"""

import os
from dataclasses import dataclass
from pathlib import Path

SHARE = 0.35
"""Of the machine's memory, for all workers of a slot; while a deployment is provisional two slots run."""
GROWTH = 2.0
STEP = 0.1
PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")


@dataclass(frozen=True)
class Bound:
    """`limit` in bytes. Raises nothing: a worker that cannot read its size goes on."""

    limit: int

    @classmethod
    def settled(cls, resident: int, each: int, number: int, workers: int) -> "Bound":
        """For a worker that is ready and holds `resident` bytes, where `each` worker may hold so many."""
        widened = 1 + STEP * (number % workers) / workers
        return cls(int(max(each, GROWTH * resident) * widened))

    def exceeded(self, resident: int) -> bool:
        return resident > self.limit


def resident() -> int:
    """Bytes of this process that are in memory."""
    return int(Path("/proc/self/statm").read_bytes().split()[1]) * PAGE_BYTES


def each(workers: int) -> int:
    """What each of so many workers may hold on this machine, in bytes."""
    return int(os.sysconf("SC_PHYS_PAGES") * PAGE_BYTES * SHARE / workers)

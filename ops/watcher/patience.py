"""How long the watcher waits: for an alias to come to rest, and after something that failed and may work later.

Times are given, never asked for: whoever calls has the clock.
"""

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field

MEMORY_SECONDS = 60.0
LONGEST_REST_SECONDS = 10.0
PAUSES = (2.0, 5.0, 15.0, 30.0, 60.0)


@dataclass
class Rest:
    """Whether what the alias says has come to rest: a second for each time that it changed in the last minute, and one.

    So one move is followed at once, and one that goes back and forth is waited out.
    """

    _seen: Mapping[str, str] | None = None
    _changes: deque[float] = field(default_factory=deque)

    def reached(self, wanted: Mapping[str, str], now: float) -> bool:
        if wanted != self._seen:
            self._seen = dict(wanted)
            self._changes.append(now)
        while self._changes and len(self._changes) > 1 and self._changes[0] < now - MEMORY_SECONDS:
            self._changes.popleft()
        return now - self._changes[-1] >= min(1.0 + len(self._changes), LONGEST_REST_SECONDS)


@dataclass
class Backoff:
    """Longer and longer pauses while the same trouble lasts, and each trouble said once."""

    _trouble: str = ""
    _count: int = 0
    _until: float = 0.0

    @property
    def count(self) -> int:
        return self._count

    def met(self, trouble: str, now: float) -> bool:
        """Whether this trouble is a new one, to be told."""
        new = trouble != self._trouble
        self._trouble = trouble
        self._until = now + PAUSES[min(self._count, len(PAUSES) - 1)]
        self._count += 1
        return new

    def over(self) -> bool:
        """Forgets the trouble; returns whether there was one."""
        had = bool(self._trouble)
        self._trouble, self._count, self._until = "", 0, 0.0
        return had

    def ready(self, now: float) -> bool:
        return now >= self._until

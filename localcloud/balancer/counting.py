"""What HAProxy has counted since it was last asked, by target group. A successor's counts begin at nothing again."""

from dataclasses import dataclass, field

from localcloud.balancer.runtime import Counters

FRONTENDS = ""
"""The key of what all listeners together have answered."""

BACKENDS = ("healthy-", "all-")


@dataclass
class Counting:
    """Errors are counted server by server: a backend's own count holds HAProxy's errors too."""

    _process: str = ""
    _before: Counters = field(default_factory=dict)

    def since(self, process: str, counters: Counters) -> dict[str, tuple[int, int]]:
        """Requests and 5xx of `process` since the last call: by the target group's name, and by `FRONTENDS`."""
        before = self._before if process == self._process else {}
        self._process, self._before = process, counters
        found: dict[str, tuple[int, int]] = {}
        for key, now in counters.items():
            then = before.get(key, (0, 0))
            # A server that was removed and came again begins at nothing too.
            new = [count - old if count >= old else count for count, old in zip(now, then, strict=True)]
            kind, name = key[0], _group(key)
            if name is None:
                continue
            requests, errors = found.get(name, (0, 0))
            counts_requests, counts_errors = kind != "server", kind != "backend"
            found[name] = (requests + counts_requests * new[0], errors + counts_errors * new[1])
        return found


def _group(key: tuple[str, str, str]) -> str | None:
    kind, backend, _ = key
    if kind == "frontend":
        return FRONTENDS
    return next((backend.removeprefix(start) for start in BACKENDS if backend.startswith(start)), None)

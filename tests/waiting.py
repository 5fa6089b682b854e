"""Waiting in tests: for what must become true, never for time to pass."""

import time
from collections.abc import Callable
from typing import TypeVar

POLL_SECONDS = 0.2

T = TypeVar("T")


def until(
    check: Callable[[], T | None],
    what: str | Callable[[], str],
    seconds: float = 120,
    *,
    turn: Callable[[], object] = lambda: None,
) -> T:
    """The first true value of `check`, with a `turn` before each look; fails, saying `what`, when there is none."""
    deadline = time.monotonic() + seconds
    while True:
        turn()
        if found := check():
            return found
        late = time.monotonic() > deadline
        assert not late, f"not within {seconds:g} s: {what if isinstance(what, str) else what()}"
        time.sleep(POLL_SECONDS)


def eventually(check: Callable[[], bool], what: str, turn: Callable[[], object], seconds: float = 15) -> float:
    """How long it takes, in seconds, until `check` holds."""
    start = time.monotonic()
    until(check, what, seconds, turn=turn)
    return time.monotonic() - start

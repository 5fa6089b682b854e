"""A lock file held by one process at a time, freed by the kernel however that process ends.

The file says who holds it, so that a refusal can name the other run. Standard library only.
"""

import fcntl
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

from ops.errors import UserError

POLL_SECONDS = 1.0


@contextmanager
def exclusive(path: Path, what: str, *, waiting: Callable[[str], None] | None = None) -> Iterator[None]:
    """Holds `path` while `what` is done. When another holds it: refuses, or with `waiting` says so and waits."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a+") as file:
        said = ""
        while not _taken(file):
            holder = _holder(file)
            if waiting is None:
                hint = "wait for it to end, or interrupt it; interrupting is safe"
                raise UserError(f"{what}: another run has the lock {path} ({holder})", hint)
            if holder != said:
                waiting(f"waiting for another run ({holder})")
                said = holder
            time.sleep(POLL_SECONDS)
        file.seek(0)
        file.truncate()
        file.write(f"{what}, pid {os.getpid()}, since {time.strftime('%H:%M:%S')}")
        file.flush()
        try:
            yield
        finally:
            file.seek(0)
            file.truncate()


def _taken(file: TextIO) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _holder(file: TextIO) -> str:
    file.seek(0)
    return file.read().strip() or "it does not say which"

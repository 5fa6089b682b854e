"""Whose `.slipway/` is: one run's at a time, and after sudo the user's own again."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path

from localcloud.state import State
from ops import cache
from ops.lock import exclusive


@contextmanager
def alone(state: State, what: str) -> Iterator[None]:
    """The checkout is this run's until its end, and whatever the run made is given back then.

    `make` holds a lock of its own; but when it is killed, the work under it (below sudo, all of it) still goes on for a
    while. Whoever comes next waits for that.
    """
    say = partial(print, file=sys.stderr, flush=True)
    try:
        with exclusive(state.slipway / "work.lock", what, waiting=say):
            yield
    finally:
        give_back(state)


def give_back(state: State) -> None:
    """After sudo: the user owns what the user's tools read and write; machines, databases and images stay root's.

    Early and late in a run: `make status` and `make url` of the same user read these files in the meantime.
    """
    user, group = int(os.environ.get("SUDO_UID", "0")), int(os.environ.get("SUDO_GID", "0"))
    if not user:
        return
    own(state.slipway, user, group)
    for top in state.slipway.iterdir():
        for path in (top, *(top.glob("*.json") if top == state.folder else top.rglob("*"))):
            own(path, user, group)
    if cache.root().is_dir() and cache.root().stat().st_uid == user:  # and not root's own cache
        releases = cache.folder("releases")
        for path in (releases, *releases.rglob("*")):
            own(path, user, group)


def own(path: Path, user: int, group: int) -> None:
    """A file that is gone meanwhile was a temporary one."""
    with suppress(FileNotFoundError):
        os.chown(path, user, group, follow_symlinks=False)

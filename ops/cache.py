"""Where downloads and built things stay, outside every checkout: one folder of the user's, below sudo too.

Root's own cache would be closed to the user's own `pulumi`, which uploads the releases. Standard library only.
"""

import errno
import os
from pathlib import Path

VARIABLE = "SLIPWAY_CACHE"
ONLY_LOOKING = (errno.EACCES, errno.EPERM, errno.EROFS)  # another's files, or a container's that are read-only


def root() -> Path:
    """`$SLIPWAY_CACHE`, which every child of ours and `.slipway/env` has; else the folder where it usually is."""
    if place := os.environ.get(VARIABLE):
        return Path(place)
    return Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser() / "slipway"


def folder(kind: str) -> Path:
    """The part of the cache for a kind of thing. It may not exist yet."""
    return root() / kind


def used(path: Path) -> None:
    """Marks it as used now, by its time of change: who cleans up goes by that. Who may only look leaves no mark."""
    try:
        os.utime(path)
    except OSError as error:
        if error.errno not in ONLY_LOOKING:
            raise

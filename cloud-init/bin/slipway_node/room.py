"""Whether what is to be fetched has room on this node's disk: asked before the first byte comes.

A full disk breaks what serves too.
"""

import shutil
from pathlib import Path

from slipway_node.node import ActivationError

RESERVE_BYTES = 256 * 1024 * 1024
"""For logs, and for models that are being compiled."""
UNPACKED = {".tar.zst": 7, ".tar": 2}
"""How many times an archive's size it takes on the disk, itself included, until it has been unpacked."""
MIB = 1024 * 1024


class NoRoomError(ActivationError):
    """The disk cannot take it. Of the kind `fetch`, since a disk may have room later."""

    def __init__(self, key: str, needed: int, free: int) -> None:
        super().__init__(
            "fetch",
            f"{key} takes about {needed // MIB} MiB of disk, and {RESERVE_BYTES // MIB} MiB are kept free, "
            f"but only {free // MIB} MiB are left: give the nodes larger disks (fleet.diskGib)",
        )


def require(folder: Path, key: str, archive_bytes: int) -> None:
    """Raises `NoRoomError` when the archive `key`, unpacked in `folder`, would not leave the reserve."""
    needed = archive_bytes * next(times for suffix, times in UNPACKED.items() if key.endswith(suffix))
    free = shutil.disk_usage(folder).free
    if free < needed + RESERVE_BYTES:
        raise NoRoomError(key, needed, free)

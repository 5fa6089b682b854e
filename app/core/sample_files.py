"""The prediction log's folder: never larger than it may be, and no more written in a day than was asked for.

All workers of both slots append to `current.jsonl`. At its size, or whenever who ships the log wants it, it gets a name
of its own and is never written again; when the folder is full, the oldest of those goes. Everything happens under one
lock of the file system, because the one who ships (cloud-init/bin/slipway_node/predictions.py) is another user.
"""

import fcntl
import os
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

CURRENT, LOCK, ENDING = "current.jsonl", "lock", ".jsonl"
FOLDER_BYTES = 64 * 2**20
FILE_BYTES = 4 * 2**20


@dataclass(frozen=True)
class SampleFiles:
    """`daily_bytes` is of all lines of one day, UTC, whether they are still here or not."""

    folder: Path
    daily_bytes: int
    folder_bytes: int = FOLDER_BYTES
    file_bytes: int = FILE_BYTES

    def make(self) -> None:
        """On a node the folder is there, and belongs to the group that ships it."""
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)

    def append(self, line: bytes) -> tuple[bool, int]:
        """Whether the line was written, and how many older ones went for it. Raises OSError."""
        with (self.folder / LOCK).open("a+b") as lock:
            os.fchmod(lock.fileno(), 0o660)
            fcntl.flock(lock, fcntl.LOCK_EX)
            lock.seek(0)
            today = f"{datetime.now(UTC):%Y-%m-%d}"
            day, _, written = lock.read().decode().partition(" ")
            total = len(line) + (int(written) if day == today and written.isdecimal() else 0)
            if total > self.daily_bytes:
                return False, 0
            dropped = self._write(line)
            lock.truncate(0)
            lock.write(f"{today} {total}".encode())
            return True, dropped

    def _write(self, line: bytes) -> int:
        current, dropped = self.folder / CURRENT, 0
        if current.exists() and current.stat().st_size + len(line) > self.file_bytes:
            current.rename(self.folder / name())
        if not current.exists():
            dropped = self._make_room()
        with current.open("ab") as file:
            os.fchmod(file.fileno(), 0o640)
            file.write(line)
        return dropped

    def _make_room(self) -> int:
        """For a whole file more. Returns how many lines went."""
        closed = sorted(path for path in self.folder.glob(f"*{ENDING}") if path.name != CURRENT)
        sizes = {path: path.stat().st_size for path in closed}
        dropped, total = 0, sum(sizes.values())
        for path in closed:
            if total + self.file_bytes <= self.folder_bytes:
                break
            dropped += path.read_bytes().count(b"\n")
            path.unlink()
            total -= sizes[path]
        return dropped


def name() -> str:
    """Names sort as their files were closed."""
    return f"{datetime.now(UTC):%Y%m%dT%H%M%S.%fZ}-{os.urandom(3).hex()}{ENDING}"

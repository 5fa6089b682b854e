"""Payloads as files, where there is no S3: one folder, shared by those who accept jobs and those who work on them.

It is bounded, and inputs may fill half of it: what was accepted must find room for its answer. Only who puts asks how
full it is, and counts the files now and then, not each time.
"""

import os
import threading
import time
from collections.abc import Iterable
from pathlib import Path

COUNTED_SECONDS = 5.0
INPUT = "input"
PARTIAL = ".partial"


class AwayError(Exception):
    """The folder cannot be written to or read now: the same may be asked again."""


class RefusedError(Exception):
    """There is no room, or no such file."""


class Folder:
    """Keys are those of S3: `<prefix><job>/<name>`. They become names of files in one folder."""

    def __init__(self, place: Path, limit_bytes: int) -> None:
        self._place, self._limit = place, limit_bytes
        self._lock = threading.Lock()
        self._used, self._counted = 0, 0.0

    def put(self, key: str, body: bytes) -> None:
        """Returns when it is on the disk. Raises `AwayError` or `RefusedError`, as all of these do."""
        limit = self._limit // 2 if key.endswith(f"/{INPUT}") else self._limit
        try:
            self._take(len(body), limit)
            self._write(self._file(key), body)
        except OSError as error:
            raise AwayError(f"{self._place}: {error.strerror}") from error

    def get(self, key: str) -> bytes:
        try:
            return self._file(key).read_bytes()
        except FileNotFoundError:
            raise RefusedError(f"{self._file(key)} is gone") from None
        except OSError as error:
            raise AwayError(f"{self._place}: {error.strerror}") from error

    def remove(self, keys: Iterable[str]) -> None:
        try:
            for key in keys:
                self._file(key).unlink(missing_ok=True)
        except OSError as error:
            raise AwayError(f"{self._place}: {error.strerror}") from error

    def older(self, seconds: float) -> list[str]:
        """The keys of files that have lain there for so long, half-written ones among them."""
        before = time.time() - seconds
        try:
            with os.scandir(self._place) as entries:
                return [self._key(entry.name) for entry in entries if entry.stat().st_mtime < before]
        except OSError as error:
            raise AwayError(f"{self._place}: {error.strerror}") from error

    def _take(self, size: int, limit: int) -> None:
        with self._lock:
            if time.monotonic() - self._counted > COUNTED_SECONDS or not self._counted:
                with os.scandir(self._place) as entries:
                    self._used = sum(_size(entry) for entry in entries)
                self._counted = time.monotonic()
            if self._used + size > limit:
                raise RefusedError(f"{self._used} bytes of large payloads are kept, and {limit} may be")
            self._used += size

    def _write(self, file: Path, body: bytes) -> None:
        partial = file.with_name(f"{file.name}{PARTIAL}")
        with partial.open("wb") as out:
            out.write(body)
            out.flush()
            os.fsync(out.fileno())
        partial.replace(file)
        folder = os.open(self._place, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)

    def _file(self, key: str) -> Path:
        return self._place / key.replace("/", "+")

    def _key(self, name: str) -> str:
        return name.replace("+", "/")


def _size(entry: "os.DirEntry[str]") -> int:
    """None of one that has just been removed."""
    try:
        return entry.stat().st_size
    except FileNotFoundError:
        return 0

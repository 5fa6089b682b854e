"""Fetching a pinned file: over HTTP or from a folder, whole or not at all, and only with the right checksum."""

import hashlib
import urllib.error
import urllib.parse
import urllib.request
from pathlib import Path

from ops.errors import UserError
from ops.steps import Step

CONNECT_SECONDS = 15
CHUNK = 1 << 20


class Unreachable(UserError):  # noqa: N818 - a state of the network, and callers choose what follows from it
    """The place did not answer, or does not have the file."""


def sha256_of(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def verify(path: Path, sha256: str, source: str) -> None:
    """Raises `UserError` unless the file has the pinned checksum."""
    if (found := sha256_of(path)) != sha256:
        raise UserError(
            f"{source}: sha256 is {found}, expected {sha256}",
            "the file is damaged or not the pinned release: get it from the official site again",
        )


def fetch(place: str, name: str, sha256: str, target: Path, step: Step) -> Path:
    """The file `name` from `place` (a URL or a folder), verified. A folder's file is used where it lies."""
    if folder := as_folder(place):
        if not (folder / name).is_file():
            raise Unreachable(f"{folder / name}: no such file")
        verify(folder / name, sha256, str(folder / name))
        return folder / name
    url = f"{place.rstrip('/')}/{name}"
    _download(url, target, step)
    try:
        verify(target, sha256, url)
    except UserError:
        target.unlink()
        raise
    return target


def as_folder(place: str) -> Path | None:
    """The folder that `place` names: a path or a file: URL; None for any other URL."""
    parts = urllib.parse.urlsplit(place)
    if parts.scheme == "file":
        return Path(urllib.request.url2pathname(parts.path))
    return None if parts.scheme in {"http", "https"} else Path(place).expanduser()


def _download(url: str, target: Path, step: Step) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        with urllib.request.urlopen(url, timeout=CONNECT_SECONDS) as answer, target.open("wb") as file:  # noqa: S310
            size = int(answer.headers.get("Content-Length") or 0)
            done = 0
            while chunk := answer.read(CHUNK):
                file.write(chunk)
                done += len(chunk)
                step.say(progress(done, size))
        if size and done != size:
            raise Unreachable(f"{url}: the connection ended after {done} of {size} bytes")
    except (urllib.error.URLError, TimeoutError, ConnectionError) as error:
        raise Unreachable(f"{url}: {getattr(error, 'reason', None) or error}") from None
    except OSError as error:
        raise UserError(f"{target}: {error.strerror}", "free some space, then run this again") from None


def progress(done: int, size: int) -> str:
    return f"{done >> 20} of {size >> 20} MiB" if size else f"{done >> 20} MiB"

"""One byte sequence for one content: the tar and the JSON whose sha256 names a release, a model and a deployment.

A tar made here holds folders and regular files only, sorted, with no owner, no time and one of two modes, so that the
same files give the same digest on every machine.
"""

import hashlib
import io
import json
import shutil
import subprocess
import tarfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import IO, Any, Literal, cast

from ops.errors import UserError

CHUNK_BYTES = 1024 * 1024


class _Hashing(io.RawIOBase):
    """Passes what is written on to `target` and digests it, after what was written to it before and `passed` here."""

    def __init__(self, target: IO[bytes]) -> None:
        self._target = target
        self._position = 0
        self.digest = hashlib.sha256()

    def writable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._position

    def write(self, data: Any) -> int:
        self.passed(data)
        return self._target.write(data)

    def passed(self, data: bytes) -> None:
        self.digest.update(data)
        self._position += len(data)


class _HashingReader(io.RawIOBase):
    """Digests what is read from `source`."""

    def __init__(self, source: IO[bytes]) -> None:
        self._source = source
        self.digest = hashlib.sha256()

    def read(self, size: int = -1) -> bytes:
        data = self._source.read(size)
        self.digest.update(data)
        return data


def write_tar(folder: Path, target: IO[bytes]) -> str:
    """Writes the contents of `folder` as a tar to `target`; returns the tar's sha256."""
    stream = _Hashing(target)
    _add(folder, stream).close()
    return stream.digest.hexdigest()


def write_tar_zst(folder: Path, place: Path) -> str:
    """The same, compressed. The digest is of the tar inside: how well it was compressed is nobody's name."""
    with _compressed(place, "wb") as zstd:
        stream = _Hashing(zstd)
        _add(folder, stream).close()
    return stream.digest.hexdigest()


def begin_tar_zst(folder: Path, place: Path) -> None:
    """Writes a tar without its end, for `end_tar_zst` to finish as often as wanted: it is compressed only once."""
    with _compressed(place, "wb") as zstd:
        _add(folder, _Hashing(zstd))


def end_tar_zst(beginning: Path, folder: Path, place: Path) -> str:
    """Writes `beginning` and the contents of `folder` as one archive; returns the sha256 of the tar inside.

    It is the tar of both folders in one, if every name in the first sorts before those in `folder`.
    """
    shutil.copyfile(beginning, place)
    with _compressed(place, "ab") as zstd:
        stream = _Hashing(zstd)
        for chunk in _decompressed(beginning):
            stream.passed(chunk)
        _add(folder, stream).close()
    return stream.digest.hexdigest()


def _add(folder: Path, stream: _Hashing) -> tarfile.TarFile:
    """The tar, to which nothing but its end is to be added."""
    tar = tarfile.TarFile(fileobj=cast(Any, stream), mode="w", format=tarfile.GNU_FORMAT)
    for path in _sorted_entries(folder):
        member = _member(path, folder)
        if member.isdir():
            tar.addfile(member)
        else:
            with path.open("rb") as file:
                tar.addfile(member, file)
    return tar


@contextmanager
def _compressed(place: Path, mode: Literal["wb", "ab"]) -> Iterator[IO[bytes]]:
    """What is written to it goes to `place` as a frame of zstd: several are one stream to whoever reads them."""
    argv = ["zstd", "--quiet", "-6", "--threads=0"]
    with place.open(mode) as out, subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=out) as zstd:
        assert zstd.stdin is not None
        try:
            yield zstd.stdin
            zstd.stdin.close()
        except BrokenPipeError:  # it has ended before its time, and its status says so
            zstd.wait()
    if zstd.returncode:
        raise UserError(f"zstd could not write {place}: exit status {zstd.returncode}", "is the disk full?")


def _decompressed(archive: Path) -> Iterator[bytes]:
    with subprocess.Popen(["zstd", "--decompress", "--stdout", "--quiet", archive], stdout=subprocess.PIPE) as zstd:
        assert zstd.stdout is not None
        while chunk := zstd.stdout.read(CHUNK_BYTES):
            yield chunk
    if zstd.returncode:
        raise UserError(f"{archive} is damaged: zstd ends with {zstd.returncode}", "remove it and try again")


def read_tar_zst(archive: Path, folder: Path) -> str:
    """Unpacks what `write_tar_zst` wrote into the new `folder`; returns the sha256 of the tar inside.

    Raises `UserError` when it is no such archive, or not the whole of one.
    """
    folder.mkdir()
    command = ["zstd", "--decompress", "--stdout", "--quiet", str(archive)]
    reason = ""
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as zstd:
        assert zstd.stdout is not None
        stream = _HashingReader(zstd.stdout)
        try:
            with tarfile.open(fileobj=stream, mode="r|") as tar:
                # Debian 12's Python has no filters yet; there, only what `write_tar_zst` writes is unpacked.
                filters = hasattr(tarfile, "data_filter")
                safely: dict[str, Any] = {"filter": "data"} if filters else {"members": _plain(tar)}
                tar.extractall(folder, **safely)  # noqa: S202
            while stream.read(tarfile.BLOCKSIZE):
                pass
        except tarfile.TarError as error:
            reason = str(error)
    if reason or zstd.returncode:
        reason = f"zstd ends with {zstd.returncode}" if zstd.returncode > 0 else reason
        raise UserError(f"{archive.name} is damaged: {reason}", "remove it from where it lies, and publish it again")
    return stream.digest.hexdigest()


def _plain(tar: tarfile.TarFile) -> Iterator[tarfile.TarInfo]:
    for member in tar:
        path = PurePosixPath(member.name)
        if not (member.isdir() or member.isfile()) or path.is_absolute() or ".." in path.parts:
            raise UserError(f"the archive holds {member.name}, which is no plain file below it", "it is damaged")
        yield member


def _sorted_entries(folder: Path) -> Iterator[Path]:
    yield from sorted(folder.rglob("*"), key=lambda path: path.relative_to(folder).parts)


def _member(path: Path, folder: Path) -> tarfile.TarInfo:
    member = tarfile.TarInfo(path.relative_to(folder).as_posix())
    if path.is_symlink() or not (path.is_dir() or path.is_file()):
        raise UserError(f"{path} is neither a file nor a folder", "replace links by what they lead to")
    if path.is_dir():
        member.type, member.mode = tarfile.DIRTYPE, 0o755
    else:
        status = path.stat()
        member.size, member.mode = status.st_size, 0o755 if status.st_mode & 0o100 else 0o644
    return member


def json_bytes(value: Any) -> bytes:
    """Canonical JSON: sorted keys, no spaces, UTF-8, no NaN."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False).encode()


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()

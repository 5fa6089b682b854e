"""The modules of an order as one tar, and out of it again: only what is digested, and nothing but files and folders.

The other node made it, so nothing of it is unpacked by a library that would obey what a tar can say.
"""

import io
import shutil
import tarfile
import tempfile
from collections.abc import Sequence
from pathlib import Path, PurePosixPath

from ops import canonical, modules
from ops.errors import UserError
from ops.orders.order import WrongError

MOST_FILES = 1000
MOST_BYTES = 16 * 2**20
TAR_BYTES = MOST_BYTES + 4 * 2**20


def pack(tree: Path, wanted: Sequence[str]) -> tuple[bytes, str]:
    """The files of these modules below `tree`, by their place there, and the digest. Raises `UserError`."""
    files = {file.relative_to(tree): file for each in wanted for file in modules.files(tree / each)}
    size = sum(file.stat().st_size for file in files.values())
    if len(files) > MOST_FILES or size > MOST_BYTES:
        told = f"the modules are {len(files)} files with {size >> 20} MiB"
        raise UserError(f"{told}: {MOST_FILES} with {MOST_BYTES >> 20} MiB are taken", "what is data belongs elsewhere")
    with tempfile.TemporaryDirectory(prefix="slipway-order-") as folder:
        for place, file in files.items():
            (Path(folder) / place).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(file, Path(folder) / place)
        return packed(Path(folder))


def packed(folder: Path) -> tuple[bytes, str]:
    target = io.BytesIO()
    digest = canonical.write_tar(folder, target)
    return target.getvalue(), digest


def unpack(tar: bytes, digest: str, folder: Path) -> None:
    """Into the new `folder`. Raises `WrongError` for all that `pack` would not have made."""
    if canonical.sha256(tar) != digest:
        raise WrongError("the modules are not those of the order")
    folder.mkdir()
    try:
        with tarfile.open(fileobj=io.BytesIO(tar), mode="r:") as archive:
            _unpack(archive, folder)
    except (tarfile.TarError, OSError, ValueError) as error:
        raise WrongError(f"the modules cannot be unpacked: {error}") from error
    if packed(folder)[1] != digest:
        raise WrongError("the modules' archive holds more than files and folders")


def _unpack(archive: tarfile.TarFile, folder: Path) -> None:
    left = MOST_BYTES
    for count, member in enumerate(archive, 1):
        path = PurePosixPath(member.name)
        left -= max(member.size, 0)
        if member.type not in (tarfile.REGTYPE, tarfile.DIRTYPE):
            raise WrongError(f"the modules hold {member.name!r}, which is neither a file nor a folder")
        if path.is_absolute() or ".." in path.parts or not path.parts:
            raise WrongError(f"the modules hold {member.name!r}, which is no path below them")
        if count > 2 * MOST_FILES or left < 0 or member.size < 0:
            raise WrongError("the modules are too many, or too large")
        if member.isdir():
            (folder / path).mkdir()
        elif source := archive.extractfile(member):
            with (folder / path).open("xb") as target:
                shutil.copyfileobj(source, target)
            (folder / path).chmod(0o755 if member.mode & 0o100 else 0o644)

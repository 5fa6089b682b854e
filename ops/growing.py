"""Builds the release that some models want: of this checkout, or on the tracking node out of the one that is there.

On a node there is no checkout: code and packages are those of the fleet's release, but for what the models want. Only
wheels are taken, and unpacked, so nothing of a package runs here; what loads them first is the sandbox. The disk is
small and shared with MLflow, so room is asked for before anything is fetched, and what was fetched goes at the end.
"""

import errno
import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from ops import node_python, release, resolution, uv
from ops.errors import NotNowError
from ops.lock import exclusive
from ops.node_python import Progress
from ops.release import Release
from ops.resolution import Wish
from ops.store import Store

NEEDED_BYTES = 2 * 2**30
LEFT = (".uv-*", ".building-*", ".packages-*", ".modules-*")
"""Folders of a build that was killed."""
KEPT_RELEASES = 1
"""Unpacked ones, beside the one that the new one is made from."""


def build(at: Store, wanted: Mapping[str, Wish], digest: str, progress: Progress = lambda _: None) -> Release:
    """A server release with what these models (by name/version) want; on a node, out of the one with this digest.

    Raises `UserError`, a `NotNowError` for the network and the disk.
    """
    if node_python.on_a_node():
        return grown(wanted, release.unpacked(at, digest, progress), progress)
    return resolution.build(wanted, progress)


def grown(wanted: Mapping[str, Wish], base: Path, progress: Progress = lambda _: None) -> Release:
    """The unpacked release `base` with what these models want. When it cannot be made, nothing of it stays."""
    kept = release.cache_folder()
    with exclusive(kept / "growing.lock", "the build of a release", waiting=progress), full_disk_told(kept):
        for left in (folder for pattern in LEFT for folder in kept.glob(pattern)):
            shutil.rmtree(left)
        release.prune(KEPT_RELEASES, spared=base.name)
        _room(kept)
        with tempfile.TemporaryDirectory(dir=kept, prefix=".uv-") as downloads, _variable(uv.CACHE, downloads):
            return resolution.build(wanted, progress, base)


def _room(folder: Path) -> None:
    free = shutil.disk_usage(folder).free
    if free < NEEDED_BYTES:
        told = f"no room for a release in {folder}: {free >> 20} MiB are free, {NEEDED_BYTES >> 20} MiB are needed"
        raise NotNowError(told, "enlarge tracking.diskGib")


@contextmanager
def full_disk_told(folder: Path) -> Iterator[None]:
    """Raises `NotNowError` for it."""
    try:
        yield
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT):
            raise
        raise NotNowError(f"the disk of {folder} is full: no release was built", "enlarge tracking.diskGib") from error


@contextmanager
def _variable(name: str, value: str) -> Iterator[None]:
    before = os.environ.get(name)
    os.environ[name] = value
    try:
        yield
    finally:
        if before is None:
            del os.environ[name]
        else:
            os.environ[name] = before

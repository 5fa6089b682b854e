"""The cache of releases: what stays, what goes, and who may only look at it."""

import errno
import json
import os
import time
from pathlib import Path

import pytest

from ops import cache, release
from ops.store import Store


@pytest.fixture
def kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("SLIPWAY_CACHE", str(tmp_path / "cache"))
    return release.cache_folder()


def test_what_is_kept_unpacked_is_the_newest_and_the_spared_one(kept: Path) -> None:
    for name in ("served", "older", "newer", "packages-server-1", ".building-x"):
        (kept / name).mkdir(parents=True)
        until_later(kept / name)
    for name in ("newer.tar.zst", "server-1.json", "server.lock"):
        (kept / name).touch()
    release.prune(1, spared="served")
    assert {path.name for path in kept.iterdir()} == {"served", "newer", ".building-x", "server.lock"}


def test_what_nobody_asks_for_in_a_month_goes_when_another_is_built(kept: Path) -> None:
    long_ago = time.time() - release.UNUSED_SECONDS - 60
    for name in ("unpacked", "packages-server-1", ".building-x"):
        (kept / name).mkdir(parents=True)
    (kept / "packages-server-1" / "archive").touch()
    for name in ("used.tar.zst", "unused.tar.zst", "unused.json", "server.lock"):
        (kept / name).touch()
    record = kept / "used.json"
    record.write_text(json.dumps({"digest": "used", "file": str(kept / "used.tar.zst")}))
    for path in kept.iterdir():
        os.utime(path, (long_ago, long_ago))
    assert release.recorded(record)
    release.forget_unused(kept, time.time())
    assert {path.name for path in kept.iterdir()} == {"used.json", "used.tar.zst", ".building-x", "server.lock"}


def until_later(path: Path) -> None:
    """The next file is newer than this one, however coarse the clock is."""
    probe = path.parent / "probe"
    probe.touch()
    while probe.stat().st_ctime <= path.stat().st_ctime:
        probe.unlink()
        probe.touch()
    probe.unlink()


@pytest.mark.parametrize("kind", [errno.EROFS, errno.EACCES, errno.EPERM])
def test_a_release_that_may_only_be_looked_at_is_served_from_all_the_same(
    kept: Path, monkeypatch: pytest.MonkeyPatch, kind: int
) -> None:
    def refuse(path: Path) -> None:
        raise OSError(kind, os.strerror(kind), path)

    (kept / "digest").mkdir(parents=True)
    monkeypatch.setattr(os, "utime", refuse)
    assert release.unpacked(Store("us-east-1", "artifacts", "/parameter"), "digest") == kept / "digest"


def test_what_is_gone_is_not_marked_in_silence(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        cache.used(tmp_path / "gone")

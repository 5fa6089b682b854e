"""The Pulumi engine: found on PATH, unpacked from the official archive, or built from its Go modules, in this order.

The result is one folder per version in the cache, made aside and renamed, so that a half-made one is never seen.
An archive with a wrong checksum is an error; only a site that cannot be reached leads on to the build.
"""

import os
import shutil
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Literal

from ops.errors import UserError
from ops.run import CommandError, run
from ops.steps import Step
from toolchain import gobuild
from toolchain.download import Unreachable, fetch
from toolchain.pins import ENGINE, version_tuple

MIRROR_VARIABLE = "SLIPWAY_TOOLCHAIN_MIRROR"
LANGUAGE_HOST = "pulumi-language-python"
Way = Literal["path", "archive", "build"]
WAYS: tuple[Way, ...] = ("path", "archive", "build")


def ensure(cache: Path, step: Step, ways: tuple[Way, ...] = WAYS) -> Path:
    """The folder that holds a usable `pulumi` and its Python language host."""
    if "path" in ways and (folder := on_path(cache)):
        step.done(f"{folder}/pulumi, found on PATH")
        return folder
    folder = cache / ENGINE.version
    if folder.is_dir() and ways == WAYS:
        step.done(f"{ENGINE.version}, cached")
        return folder
    half = cache / f".{ENGINE.version}.new"
    shutil.rmtree(half, ignore_errors=True)
    half.mkdir(parents=True)
    try:
        outcome = _make(cache, half, step, ways)
        _try(half)
        shutil.rmtree(folder, ignore_errors=True)
        half.rename(folder)
    finally:
        shutil.rmtree(half, ignore_errors=True)
    step.done(f"{ENGINE.version}, {outcome}")
    return folder


def _make(cache: Path, half: Path, step: Step, ways: tuple[Way, ...]) -> str:
    if "archive" in ways:
        try:
            return _from_archive(cache, half, step)
        except Unreachable as error:
            if "build" not in ways:
                raise
            step.board.line(f"     {error.message}; building the engine from its Go modules instead")
    gobuild.build(cache, half, step)
    return "built from its Go modules"


def on_path(cache: Path) -> Path | None:
    """The folder of the user's own engine, when it is new enough, of the same major, and can run Python programs."""
    for folder in os.environ.get("PATH", "").split(os.pathsep):
        program = Path(folder, "pulumi")
        if not os.access(program, os.X_OK) or cache in program.parents:
            continue
        result = run([program, "version"], env={"PULUMI_SKIP_UPDATE_CHECK": "true"}, check=False)
        host = shutil.which(LANGUAGE_HOST) or shutil.which(LANGUAGE_HOST, path=str(program.resolve().parent))
        if result.ok and host and new_enough(result.stdout, ENGINE.version):
            return Path(folder)
    return None


def new_enough(version: str, pinned: str) -> bool:
    """Whether `version` is `pinned` or newer within its major."""
    have, want = version_tuple(version), version_tuple(pinned)
    return have[:1] == want[:1] and have >= want


def _from_archive(cache: Path, half: Path, step: Step) -> str:
    mirror = os.environ.get(MIRROR_VARIABLE, "")
    place = mirror or ENGINE.site
    step.say(f"fetching {ENGINE.archive}")
    try:
        archive = fetch(place, ENGINE.archive, ENGINE.sha256, cache / f".{ENGINE.archive}.part", step)
    except Unreachable as error:
        if mirror:
            raise UserError(
                f"{MIRROR_VARIABLE}={mirror}: {error.message}", f"correct it, or unset it to use {ENGINE.site}"
            ) from None
        raise
    step.say("unpacking")
    _disk_safe(lambda: unpack(archive, half), half)
    (cache / f".{ENGINE.archive}.part").unlink(missing_ok=True)
    return f"from {place}"


def unpack(archive: Path, target: Path) -> None:
    """The programs of the archive's one folder, laid flat into `target`. Nothing else in it is written."""
    with tarfile.open(archive) as tar:
        for member in tar:
            content = tar.extractfile(member) if member.isfile() else None
            if content is None:
                continue
            file = target / Path(member.name).name
            with content, file.open("wb") as out:
                shutil.copyfileobj(content, out, 1 << 20)
            file.chmod(0o755)


def _disk_safe(work: Callable[[], None], where: Path) -> None:
    try:
        work()
    except OSError as error:
        raise UserError(f"{where}: {error.strerror or error}", "free some space, then run this again") from None


def _try(folder: Path) -> None:
    """An engine that does not start must not reach the cache."""
    try:
        run([folder / "pulumi", "version"], env={"PULUMI_SKIP_UPDATE_CHECK": "true"}, timeout_seconds=60)
    except CommandError as error:
        raise UserError(
            f"the new engine does not run: {error.message}", "remove the cache folder and try again"
        ) from None
    if not (folder / LANGUAGE_HOST).exists():
        raise UserError(f"{folder}: no {LANGUAGE_HOST} in it", "the archive is not a full release of the engine")

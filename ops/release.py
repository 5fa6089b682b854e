"""Builds releases: code and every Python dependency of it in one content-addressed archive, the same for equal inputs.

Two kinds are every stack's: `server` for the serving nodes and `control` for the tracking node. The others are built
only where a stack of this checkout wants them: `jobs` for asynchronous predictions, and for the pipeline node `airflow`
(packages alone, from a lock of their own) and `training`, which its tasks run. A release is kept in the user's cache
under its inputs, so that building it again is a look-up. Its packages are kept there too, so that with other code of
ours only that is compiled and compressed. What nobody has asked for in a month goes when another is built.
"""

import json
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import yaml

from contract import S3
from ops import bytecode, cache, canonical, node_python, packages, sources
from ops.errors import UserError, reported
from ops.lock import exclusive
from ops.node_python import Progress
from ops.packages import PLATFORM, PYTHON_VERSION, Kind, Locked
from ops.store import Store

CHECKOUT = Path(__file__).resolve().parent.parent
UNUSED_SECONDS = 30 * 24 * 3600
ALWAYS: tuple[Kind, ...] = ("server", "control")
OPTIONAL: Mapping[str, tuple[Kind, ...]] = {"slipway:jobs": ("jobs",), "slipway:pipeline": ("airflow", "training")}
"""By the group of settings that turns them on."""


@dataclass(frozen=True)
class Release:
    """`digest` is the sha256 of the tar inside `file`, and the release's name everywhere."""

    digest: str
    file: str


def build(
    kind: Kind, progress: Progress = lambda _: None, requirements: str | None = None, base: Path | None = None
) -> Release:
    """The release of this checkout, built unless the cache has it: by one process at a time. Raises `UserError`.

    `requirements`: pins with hashes that take the place of the lock's. `base`: an unpacked release whose code takes the
    place of the checkout's.
    """
    kept = cache_folder()
    record = kept / f"{kind}-{inputs_digest(kind, requirements, base)}.json"
    with exclusive(kept / f"{kind}.lock", f"the build of the {kind} release", waiting=progress):
        return recorded(record) or _built(kind, kept, record, progress, requirements=requirements, base=base)


def recorded(record: Path) -> Release | None:
    """What was built before, while its file is there."""
    release = Release(**json.loads(record.read_text())) if record.exists() else None
    if release is None or not Path(release.file).exists():
        return None
    cache.used(record)
    cache.used(Path(release.file))
    return release


def _built(
    kind: Kind, kept: Path, record: Path, progress: Progress, *, requirements: str | None, base: Path | None
) -> Release:
    locked = packages.locked(kind, kept, progress, requirements)
    with tempfile.TemporaryDirectory(dir=kept, prefix=".building-") as folder:
        tree = Path(folder) / "tree"
        progress(f"compiling the {kind} release with the node's Python")
        assemble(kind, tree, locked, base, progress)
        progress(f"packing the {kind} release")
        archive = Path(folder) / "archive"
        digest = canonical.end_tar_zst(locked.archive, tree, archive)
        place = kept / f"{digest}.tar.zst"
        archive.replace(place)
        if kind == "server" and not (kept / digest).exists():  # `unpacked` wants it for the first deployment
            shutil.copytree(locked.tree, tree, copy_function=os.link, dirs_exist_ok=True)
            tree.replace(kept / digest)
            cache.used(kept / digest)  # it has the time of the packages' own folder
        forget_unused(kept, time.time())
        return written(Release(digest, str(place)), record, Path(folder))


def written(release: Release, record: Path, scratch: Path) -> Release:
    """The release, which `recorded` finds from now on: last, when all of it is in its place."""
    place = scratch / "record"
    place.write_text(json.dumps(asdict(release)))
    place.replace(record)
    return release


def cache_folder() -> Path:
    return cache.folder("releases")


def inputs_digest(kind: Kind, requirements: str | None = None, base: Path | None = None) -> str:
    """Of everything that decides the release: the lock, the sources, the node's Python and this recipe."""
    modules = (packages, sources, bytecode, canonical)
    recipe = [Path(__file__), *(Path(str(module.__file__)) for module in modules)]
    project = packages.AIRFLOW if kind == "airflow" else CHECKOUT
    lock = [] if base else [project / "uv.lock", project / "pyproject.toml"]
    parts = {str(path.relative_to(CHECKOUT)): canonical.sha256(path.read_bytes()) for path in (*lock, *recipe)}
    parts |= {name: canonical.sha256(path.read_bytes()) for name, path in sources.files(kind, base).items()}
    inputs = [kind, node_python.identity(), parts, *([requirements] if requirements else []), sources.listed(base)]
    return canonical.sha256(canonical.json_bytes(inputs))[:16]


def assemble(kind: Kind, tree: Path, locked: Locked, base: Path | None, progress: Progress = lambda _: None) -> None:
    """All of a release but its packages, as a folder: `src/` our code, and what the release says of itself."""
    tree.mkdir()
    for name, source in sources.files(kind, base).items():
        place = tree / "src" / name
        place.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(source, place)
    about: dict[str, Any] = {"kind": kind, "python": PYTHON_VERSION, "platform": PLATFORM}
    about |= {"packages": locked.versions, "requires": sources.requires(kind, base), **sources.listed(base)}
    (tree / sources.ABOUT).write_text(json.dumps(about, indent=2, sort_keys=True) + "\n")
    (tree / sources.PINS).write_text(locked.requirements)
    node_python.compile_tree(tree, progress)


def unpacked(store: Store, digest: str, progress: Progress = lambda _: None) -> Path:
    """The release's files on this machine, from the cache or from the stack's bucket."""
    kept = cache_folder()
    folder = kept / digest
    if folder.is_dir():
        cache.used(folder)
        return folder
    kept.mkdir(parents=True, exist_ok=True)
    archive = kept / f"{digest}.tar.zst"
    with tempfile.TemporaryDirectory(dir=kept, prefix=".unpacking-") as scratch:
        found = archive
        if not archive.exists():
            progress(f"fetching release {digest[:12]}")
            found = Path(scratch) / "archive"
            store.get(f"{S3.releases}{archive.name}", found)
        progress(f"unpacking release {digest[:12]}")
        tree = Path(scratch) / "tree"
        if wrong := _wrong(found, tree, digest):
            where = f"{archive}, which is removed" if found == archive else f"s3://{store.bucket}/{S3.releases}"
            archive.unlink(missing_ok=True)
            raise UserError(f"release {digest} {wrong} in {where}", "publish it again, or deploy another release")
        found.replace(archive)
        tree.replace(folder)
    return folder


def _wrong(archive: Path, tree: Path, digest: str) -> str:
    """Unpacks it, and says what keeps it from being that release."""
    try:
        actual = canonical.read_tar_zst(archive, tree)
    except UserError as error:
        return error.message.removeprefix(f"{archive.name} ")
    return "" if actual == digest else f"has the digest {actual}"


def prune(keep: int, spared: str = "") -> None:
    """Removes all but the `keep` releases that were unpacked here last, and whatever others were built from: S3 has
    what matters. `spared` is the digest of one that stays besides."""
    kept = cache_folder()
    folders = [path for path in kept.iterdir() if path.is_dir() and not path.name.startswith(".")]
    packed = [path for path in folders if path.name.startswith(packages.FOLDER)]
    others = [path for path in folders if path not in packed and path.name != spared]
    for folder in [*packed, *sorted(others, key=lambda path: path.stat().st_ctime, reverse=True)[keep:]]:
        shutil.rmtree(folder)
    for file in (*kept.glob("*.tar.zst"), *kept.glob("*.json")):
        file.unlink()


def forget_unused(kept: Path, now: float) -> None:
    """Removes what nobody has asked for in a month. A checkout that wants it builds it again."""
    for path in kept.iterdir():
        if path.suffix == ".lock" or path.name.startswith("."):
            continue
        with suppress(FileNotFoundError):  # of another who does the same
            if path.stat().st_mtime < now - UNUSED_SECONDS:
                shutil.rmtree(path) if path.is_dir() else path.unlink()


def publish(store: Store, release: Release) -> bool:
    """Uploads the release unless the bucket has it. Returns whether it was uploaded."""
    return store.put(f"{S3.releases}{release.digest}.tar.zst", Path(release.file))


def wanted() -> tuple[Kind, ...]:
    """The kinds that the stacks of this checkout need: some only once the settings of one turn them on."""
    settings = [yaml.safe_load(path.read_text()) or {} for path in sorted(CHECKOUT.glob("Pulumi.*.yaml"))]
    configs = [each.get("config") or {} for each in settings]
    more = [kinds for group, kinds in OPTIONAL.items() if any(_enabled(config.get(group)) for config in configs)]
    return (*ALWAYS, *(kind for kinds in more for kind in kinds))


def _enabled(group: Any) -> bool:
    return isinstance(group, Mapping) and group.get("enabled") is True


def main() -> None:
    """Builds the releases and the deployment without models, for the program's first `up` to upload."""
    with reported("slipway release"):
        releases = {kind: build(kind, lambda text: print(text, file=sys.stderr)) for kind in wanted()}
        manifest = canonical.json_bytes({"schema": 1, "release": releases["server"].digest, "models": []})
        deployment = canonical.sha256(manifest)[:12]
        folder = CHECKOUT / ".slipway" / "releases"
        folder.mkdir(parents=True, exist_ok=True)
        file = folder / f"{deployment}.json"
        file.write_bytes(manifest)
        bootstrap: dict[str, Any] = {kind: asdict(release) for kind, release in releases.items()}
        bootstrap["deployment"] = {"id": deployment, "file": str(file)}
        partial = folder / ".bootstrap.json"
        partial.write_text(json.dumps(bootstrap, indent=2) + "\n")
        partial.replace(folder / "bootstrap.json")
        print(folder / "bootstrap.json")


if __name__ == "__main__":
    main()

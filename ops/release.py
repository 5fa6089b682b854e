"""Builds releases: code and every Python dependency of it in one content-addressed archive, the same for equal inputs.

Two kinds come from the one `uv.lock`: `server` for the serving nodes, `control` for the tracking node. A release is
kept in the user's cache under its inputs, so that building it again is a look-up.
"""

import json
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal, get_args

from contract import S3
from ops import bytecode, canonical, node_python
from ops.errors import UserError, reported
from ops.node_python import Progress
from ops.run import run
from ops.store import Store

Kind = Literal["server", "control"]

CHECKOUT = Path(__file__).resolve().parent.parent
SOURCES: Mapping[Kind, tuple[str, ...]] = {
    "server": ("app", "contract"),
    "control": ("app", "contract", "ops", "playbooks", "cloud-init"),
}
PYTHON_VERSION = "3.11"
PLATFORM = "x86_64-manylinux_2_36"

TESTED = ("matplotlib", "numpy", "pandas", "pyarrow", "scipy", "sklearn")
"""Packages whose own tests are megabytes that no other code imports."""
UNUSED = (
    *("bin", "ansible_test", "pyarrow/include", "pyarrow/src", "onnx/backend/test"),
    *(f"onnxruntime/{name}" for name in ("datasets", "quantization", "tools", "transformers")),
)
"""Scripts hold the path of the Python that installed them; the rest is for building and testing."""


@dataclass(frozen=True)
class Release:
    """`digest` is the sha256 of the tar inside `file`, and the release's name everywhere."""

    digest: str
    file: str


def build(kind: Kind, progress: Progress = lambda _: None) -> Release:
    """The release of this checkout, built unless the cache has it. Raises `UserError`."""
    cache = cache_folder()
    cache.mkdir(parents=True, exist_ok=True)
    record = cache / f"{kind}-{inputs_digest(kind)}.json"
    if record.exists():
        release = Release(**json.loads(record.read_text()))
        if Path(release.file).exists():
            return release
    with tempfile.TemporaryDirectory(dir=cache, prefix=".building-") as folder:
        tree = Path(folder) / "tree"
        assemble(kind, tree, progress)
        progress(f"packing the {kind} release")
        archive = Path(folder) / "archive"
        digest = canonical.write_tar_zst(tree, archive)
        place = cache / f"{digest}.tar.zst"
        archive.replace(place)
        if kind == "server" and not (cache / digest).exists():
            tree.replace(cache / digest)  # `unpacked` wants it for the first deployment
        release = Release(digest, str(place))
        written = Path(folder) / "record"
        written.write_text(json.dumps(asdict(release)))
        written.replace(record)
    return release


def cache_folder() -> Path:
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "slipway" / "releases"


def inputs_digest(kind: Kind) -> str:
    """Of everything that decides the release: the lock, the sources, the node's Python and this recipe."""
    recipe = [Path(module) for module in (__file__, bytecode.__file__, canonical.__file__)]
    files = [CHECKOUT / "uv.lock", CHECKOUT / "pyproject.toml", *recipe, *_sources(kind)]
    parts = {str(path.relative_to(CHECKOUT)): canonical.sha256(path.read_bytes()) for path in files}
    return canonical.sha256(canonical.json_bytes([kind, node_python.identity(), parts]))[:16]


def assemble(kind: Kind, tree: Path, progress: Progress = lambda _: None) -> None:
    """The release as a folder: `lib/` packages, `src/` our code, `release.json`."""
    progress(f"installing the locked packages of the {kind} release")
    tree.mkdir()
    packages = install_packages(kind, tree / "lib")
    for source in _sources(kind):
        place = tree / "src" / source.relative_to(CHECKOUT)
        place.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(source, place)
    about = {"kind": kind, "python": PYTHON_VERSION, "platform": PLATFORM, "packages": packages}
    (tree / "release.json").write_text(json.dumps(about, indent=2, sort_keys=True) + "\n")
    progress(f"compiling the {kind} release with the node's Python")
    script = Path(bytecode.__file__)
    python = node_python.NodePython([tree, script.parent], progress)
    python.run([python.path(script), python.path(tree)])


def install_packages(kind: Kind, lib: Path) -> dict[str, str]:
    """Installs the group `kind` of `uv.lock` into `lib`, as wheels for a node; returns names and versions."""
    uv = _uv()
    group = ["--only-group", kind, "--frozen", "--no-emit-project", "--quiet"]
    requirements = run([uv, "export", *group], cwd=CHECKOUT).stdout
    target = ["--target", str(lib), "--python-version", PYTHON_VERSION, "--python-platform", PLATFORM]
    install = [uv, "pip", "install", "--quiet", "--no-deps", "--require-hashes", "--only-binary", ":all:"]
    hint = "check the network, or the index and proxy that uv is configured with"
    run([*install, *target, "--requirements", "-"], input=requirements, cwd=CHECKOUT, hint=hint)
    _prune(lib)
    pins = (line.split(";")[0].split() for line in requirements.splitlines() if "==" in line and line[0].isalnum())
    return dict(pin[0].split("==") for pin in pins)


def _prune(lib: Path) -> None:
    (lib / ".lock").unlink(missing_ok=True)
    for name in UNUSED:
        shutil.rmtree(lib / name, ignore_errors=True)
    for package in TESTED:
        for tests in sorted((lib / package).rglob("tests")):
            shutil.rmtree(tests, ignore_errors=True)
    for record in lib.glob("*.dist-info/RECORD"):
        lines = [line for line in record.read_text().splitlines() if not line.startswith("bin/")]
        record.unlink()  # it may be a hard link into uv's cache
        record.write_text("\n".join(lines) + "\n")


def _sources(kind: Kind) -> Iterator[Path]:
    for folder in SOURCES[kind]:
        for path in sorted((CHECKOUT / folder).rglob("*")):
            if path.is_file() and "__pycache__" not in path.parts and not path.name.startswith("."):
                yield path


def _uv() -> str:
    uv = os.environ.get("SLIPWAY_UV") or shutil.which("uv")
    if not uv:
        raise UserError("uv is not on PATH", "run `make release`, which sets up the pinned uv")
    return uv


def unpacked(store: Store, digest: str, progress: Progress = lambda _: None) -> Path:
    """The release's files on this machine, from the cache or from the stack's bucket."""
    cache = cache_folder()
    folder = cache / digest
    if folder.is_dir():
        return folder
    cache.mkdir(parents=True, exist_ok=True)
    archive = cache / f"{digest}.tar.zst"
    with tempfile.TemporaryDirectory(dir=cache, prefix=".unpacking-") as scratch:
        if not archive.exists():
            progress(f"fetching release {digest[:12]}")
            fetched = Path(scratch) / "archive"
            store.get(f"{S3.releases}{archive.name}", fetched)
            fetched.replace(archive)
        progress(f"unpacking release {digest[:12]}")
        tree = Path(scratch) / "tree"
        actual = canonical.read_tar_zst(archive, tree)
        if actual != digest:
            archive.unlink()
            raise UserError(f"release {digest} has the digest {actual}", "it was removed from the cache: try again")
        tree.replace(folder)
    return folder


def publish(store: Store, release: Release) -> bool:
    """Uploads the release unless the bucket has it. Returns whether it was uploaded."""
    return store.put(f"{S3.releases}{release.digest}.tar.zst", Path(release.file))


def main() -> None:
    """Builds both releases and the deployment without models, for the program's first `up` to upload."""
    with reported("slipway release"):
        releases = {kind: build(kind, lambda text: print(text, file=sys.stderr)) for kind in get_args(Kind)}
        manifest = canonical.json_bytes({"schema": 1, "release": releases["server"].digest, "models": []})
        deployment = canonical.sha256(manifest)[:12]
        folder = CHECKOUT / ".slipway" / "releases"
        folder.mkdir(parents=True, exist_ok=True)
        file = folder / f"{deployment}.json"
        file.write_bytes(manifest)
        bootstrap = {kind: asdict(release) for kind, release in releases.items()}
        bootstrap["deployment"] = {"id": deployment, "file": str(file)}
        partial = folder / ".bootstrap.json"
        partial.write_text(json.dumps(bootstrap, indent=2) + "\n")
        partial.replace(folder / "bootstrap.json")
        print(folder / "bootstrap.json")


if __name__ == "__main__":
    main()

"""The packages of a release: installed from `uv.lock`, compiled, and packed as the beginning of the release's archive.

They are most of a release and change seldom, so they are kept in the cache under what decides them.
"""

import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from ops import bytecode, canonical, node_python, uv
from ops.cache import used
from ops.node_python import Progress

Kind = Literal["server", "control", "jobs", "airflow", "training"]

CHECKOUT = Path(__file__).resolve().parent.parent
AIRFLOW = CHECKOUT / "pipelines" / "airflow"
PYTHON_VERSION = "3.11"
PLATFORM = "x86_64-manylinux_2_36"

FOLDER = "packages-"
TESTED = ("matplotlib", "numpy", "pandas", "pyarrow", "scipy", "sklearn")
"""Packages whose own tests are megabytes that no other code imports."""
UNUSED = (
    *("ansible_test", "pyarrow/include", "pyarrow/src", "onnx/backend/test"),
    *(f"onnxruntime/{name}" for name in ("datasets", "quantization", "tools", "transformers")),
)
"""For building and testing."""
PROGRAMS = ("uv",)
"""What of `bin/` is a program. The rest are scripts, which hold the path of the Python that installed them."""


@dataclass(frozen=True)
class Locked:
    """`tree` holds `lib/`, compiled; `archive` is the beginning of a release's archive, which is just that."""

    tree: Path
    archive: Path
    requirements: str
    """Its pins with their hashes."""

    @property
    def versions(self) -> dict[str, str]:
        pins = (line.split(";")[0].split() for line in self.requirements.splitlines() if "==" in line)
        return dict(pin[0].split("==") for pin in pins if pin[0][0].isalnum())


def locked(kind: Kind, cache: Path, progress: Progress = lambda _: None, requirements: str | None = None) -> Locked:
    """The packages of the group `kind` for a node, made unless the cache has them. Raises `UserError`.

    `requirements`: these pins with their hashes instead of the lock's.
    """
    requirements = requirements or exported(kind)
    place = cache / f"{FOLDER}{kind}-{_identity(kind, requirements)}"
    if not place.exists():
        with tempfile.TemporaryDirectory(dir=cache, prefix=".packages-") as folder:
            made = Path(folder) / "made"
            _make(kind, requirements, made, progress)
            if not place.exists():  # another checkout may have been faster
                made.replace(place)
    used(place)
    return Locked(place / "tree", place / "archive", requirements)


def _make(kind: Kind, requirements: str, place: Path, progress: Progress) -> None:
    tree = place / "tree"
    tree.mkdir(parents=True)
    progress(f"installing the locked packages of the {kind} release")
    _install(requirements, tree / "lib")
    progress(f"compiling the packages of the {kind} release with the node's Python")
    node_python.compile_tree(tree, progress)
    progress(f"packing the packages of the {kind} release")
    canonical.begin_tar_zst(tree, place / "archive")


def _identity(kind: Kind, requirements: str) -> str:
    """Of what decides the packages: their digests, the node's Python, and how they are installed and packed."""
    recipe = [canonical.sha256(Path(file).read_bytes()) for file in (__file__, bytecode.__file__, canonical.__file__)]
    parts = [kind, requirements, node_python.identity(), *recipe]
    return canonical.sha256(canonical.json_bytes(parts))[:16]


def exported(kind: Kind) -> str:
    """The group `kind` of `uv.lock` with every package's digest, as pip reads it. Airflow has a lock of its own."""
    what = ["--project", str(AIRFLOW)] if kind == "airflow" else ["--only-group", kind]
    words = ["export", *what, "--frozen", "--no-emit-project", "--quiet", "--no-header"]
    return uv.run(words, cwd=CHECKOUT).stdout


def _install(requirements: str, lib: Path) -> None:
    target = ["--target", str(lib), "--python-version", PYTHON_VERSION, "--python-platform", PLATFORM]
    install = ["pip", "install", "--quiet", "--no-deps", "--require-hashes", "--only-binary", ":all:"]
    uv.run([*install, *target, "--requirements", "-"], input=requirements, cwd=CHECKOUT)
    _prune(lib)


def _prune(lib: Path) -> None:
    (lib / ".lock").unlink(missing_ok=True)
    for name in UNUSED:
        shutil.rmtree(lib / name, ignore_errors=True)
    _without_scripts(lib / "bin")
    for package in TESTED:
        for tests in sorted((lib / package).rglob("tests")):
            shutil.rmtree(tests, ignore_errors=True)
    for record in lib.glob("*.dist-info/RECORD"):
        lines = [line for line in record.read_text().splitlines() if not line.startswith("bin/")]
        record.unlink()  # it may be a hard link into uv's cache
        record.write_text("\n".join(lines) + "\n")


def _without_scripts(folder: Path) -> None:
    if not folder.is_dir():
        return
    for script in folder.iterdir():
        if script.name not in PROGRAMS:
            script.unlink()
    if not any(folder.iterdir()):
        folder.rmdir()

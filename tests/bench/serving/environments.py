"""A virtual environment per peer, installed by uv from the peer's committed lock, outside the checkout.

Each has its own, because their pins contradict each other; what they share, the libraries that the model files need,
is held to the versions of our `uv.lock`, or a slower scikit-learn would be measured as a slower server.
`make bench ARGS=--lock` writes the locks anew.
"""

import hashlib
import shutil
import sys
import tempfile
import tomllib
from pathlib import Path

from ops import cache
from ops.lock import exclusive
from ops.run import run
from ops.steps import Step

CHECKOUT = Path(__file__).resolve().parents[3]
PEERS = Path(__file__).with_name("peers")
SHARED = ("cloudpickle", "mlflow", "mlflow-skinny", "numpy", "pandas", "scikit-learn", "scipy")
UV_SECONDS = 1200
HINT = "uv must be on PATH and reach a package index; `make bench` brings uv along"


def cache_folder() -> Path:
    return cache.folder("bench")


def lock_file(peer: str) -> Path:
    return PEERS / peer / "requirements.txt"


def shared_versions(uv_lock: str) -> dict[str, str]:
    """The versions that `uv.lock` has for the packages that a model file needs."""
    packages = tomllib.loads(uv_lock)["package"]
    return {each["name"]: each["version"] for each in packages if each["name"] in SHARED}


def pinned(requirements: str) -> dict[str, str]:
    """`name==version` lines of a compiled requirements file."""
    lines = (line.partition("#")[0].partition(";")[0].strip() for line in requirements.splitlines())
    return dict(line.split("==", 1) for line in lines if "==" in line)


def digest(lock: bytes, python: str = sys.version) -> str:
    return hashlib.sha256(lock + python.encode()).hexdigest()[:16]


def ensure(peer: str, step: Step) -> Path:
    """The environment's Python, installed when absent."""
    lock = lock_file(peer)
    kept = cache_folder()
    home = kept / digest(lock.read_bytes())
    kept.mkdir(parents=True, exist_ok=True)
    with exclusive(kept / "lock", f"bench environment {peer}", waiting=step.say):
        if not (home / "complete").exists():
            step.say(f"installing {peer}")
            shutil.rmtree(home, ignore_errors=True)
            environ = {"UV_PYTHON_DOWNLOADS": "never", "VIRTUAL_ENV": ""}
            run(["uv", "venv", "--quiet", "--python", sys.executable, home], env=environ, hint=HINT)
            install = ["uv", "pip", "install", "--quiet", "--only-binary", ":all:", "--compile-bytecode"]
            run([*install, "--python", home, "-r", lock], env=environ, timeout_seconds=UV_SECONDS, hint=HINT)
            (home / "complete").touch()
    return home / "bin" / "python"


def compile_lock(peer: str) -> None:
    wanted = shared_versions((CHECKOUT / "uv.lock").read_text())
    with tempfile.NamedTemporaryFile("w", suffix=".txt") as constraints:
        constraints.writelines(f"{name}=={version}\n" for name, version in sorted(wanted.items()))
        constraints.flush()
        place = PEERS / peer
        words = ["--quiet", "--upgrade", "--no-header", "--no-annotate", "--only-binary", ":all:"]
        files: list[str | Path] = ["-c", constraints.name, "-o", place / "requirements.txt", place / "requirements.in"]
        run(["uv", "pip", "compile", "--python-version", "3.11", *words, *files], timeout_seconds=UV_SECONDS, hint=HINT)

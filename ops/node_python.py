"""Runs the Python that a node runs: the one of the node image, or this machine's own where this machine is a node.

Byte code and expected outputs must come from that Python and no other: another patch release compiles some files
differently, and another C library rounds differently.
"""

import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from contract import PATHS
from localcloud.image import Image
from ops import bytecode
from ops.run import Result, run

PYTHON = "/usr/bin/python3"
NOBODY = "daemon"
"""An account of every Debian that owns nothing."""

Progress = Callable[[str], None]


class NodePython:
    """The node's Python, and some folders of this machine that it shall see. `path` says where it sees them."""

    def __init__(self, folders: Sequence[Path], progress: Progress = lambda _: None) -> None:
        self._image = None if on_a_node() else Image()
        self._seen = {folder: str(folder) if on_a_node() else f"/mnt/{n}" for n, folder in enumerate(folders)}
        self._progress = progress

    def path(self, place: Path) -> str:
        folder = next(folder for folder in self._seen if place.is_relative_to(folder))
        return str(Path(self._seen[folder]) / place.relative_to(folder))

    def release(self, code: Path) -> dict[str, str]:
        """The environment in which an unpacked release's own modules are found."""
        path = f"{self.path(code / 'src')}:{self.path(code / 'lib')}"
        return {"PYTHONPATH": path, "PYTHONDONTWRITEBYTECODE": "1"}

    def run(
        self,
        arguments: Sequence[str],
        *,
        env: Mapping[str, str] | None = None,
        input: str | None = None,
        confined: bool = False,
        timeout_seconds: float | None = None,
        hint: str = "",
    ) -> Result:
        """Runs `/usr/bin/python3 arguments`; `confined` without network and rights, for code that is not ours.

        The image is built first if it is not there, which takes a minute and root. Raises `CommandError`.
        """
        words = ["/usr/bin/env", "-i", "PATH=/usr/bin:/bin", "LANG=C.UTF-8", "HOME=/tmp"]
        words += [*(f"{name}={value}" for name, value in (env or {}).items()), PYTHON, *arguments]
        if self._image:
            self._image.ensure(self._progress)
            words = self._image.command(words, self._seen, user=NOBODY if confined else "root")
        elif confined:
            words = ["setpriv", "--reuid", NOBODY, "--regid", NOBODY, "--clear-groups", "--no-new-privs", "--", *words]
        words = ["unshare", "--net", "--", *words] if confined else words
        return run(words, input=input, hint=hint, timeout_seconds=timeout_seconds)


def compile_tree(tree: Path, progress: Progress = lambda _: None) -> None:
    """Gives every Python file below `tree` its byte code. Raises `CommandError`."""
    script = Path(bytecode.__file__)
    python = NodePython([tree, script.parent], progress)
    python.run([python.path(script), python.path(tree)])


def on_a_node() -> bool:
    return Path(PATHS.facts).exists()


def identity() -> str:
    """What the byte code depends on: another identity, another release."""
    return f"node {sys.version}" if on_a_node() else f"image {Image().digest}"

"""Runs the Python that a node runs: the one of the node image, or this machine's own where this machine is a node.

Byte code and expected outputs must come from that Python and no other: another patch release compiles some files
differently, and another C library rounds differently.
"""

import os
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from contract import PATHS
from ops import bytecode, sandbox
from ops.run import Result, run

if TYPE_CHECKING:
    from localcloud.image import Image

PYTHON = "/usr/bin/python3"
NOBODY = "daemon"
"""An account of every Debian that owns nothing."""

Progress = Callable[[str], None]


class NodePython:
    """The node's Python, and some folders of this machine that it shall see. `path` says where it sees them."""

    def __init__(self, folders: Sequence[Path], progress: Progress = lambda _: None) -> None:
        self._image = None if on_a_node() else _image()
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

        The image is built first if it is not there, which takes a minute and root. On a node, who is not root asks
        systemd for such a process. Raises `CommandError`.
        """
        words = ["/usr/bin/env", "-i", "PATH=/usr/bin:/bin", "LANG=C.UTF-8", "HOME=/tmp"]
        words += [*(f"{name}={value}" for name, value in (env or {}).items()), PYTHON, *arguments]
        if self._image:
            self._image.ensure(self._progress)
            words = self._image.command(words, self._seen, user=NOBODY if confined else "root")
        elif confined and os.geteuid():
            return sandbox.run(arguments, env or {}, input, hint)
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
    return f"node {sys.version}" if on_a_node() else f"image {_image().digest}"


def _image() -> "Image":
    """Imported late: a node has no local cloud."""
    from localcloud.image import Image

    return Image()

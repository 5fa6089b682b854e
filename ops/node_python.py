"""Runs the Python that a node runs: the one of the node image, or this machine's own where this machine is a node.

Byte code and expected outputs must come from that Python and no other: another patch release compiles some files
differently, and another C library rounds differently.
"""

import subprocess
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from contract import PATHS
from localcloud.image import Image
from ops.run import Result, run

PYTHON = "/usr/bin/python3"

Progress = Callable[[str], None]


def on_a_node() -> bool:
    return Path(PATHS.facts).exists()


def identity() -> str:
    """What the byte code depends on: another identity, another release."""
    if on_a_node():
        return subprocess.check_output([PYTHON, "-c", "import sys; print(sys.version)"], text=True).strip()
    return f"image {Image().digest}"


def run_node_python(
    arguments: Sequence[str | Path],
    *,
    folders: Sequence[Path],
    env: Mapping[str, str] | None = None,
    input: str | None = None,
    progress: Progress = lambda _: None,
    hint: str = "",
) -> Result:
    """Runs `/usr/bin/python3 arguments`. `folders` of this machine are seen at their own paths, and are writable.

    The image is built first if it is not there, which takes a minute and root. Raises `CommandError`.
    """
    words = ["/usr/bin/env", "-i", "PATH=/usr/bin:/bin", "LANG=C.UTF-8", "HOME=/tmp"]
    words += [f"{name}={value}" for name, value in (env or {}).items()]
    words += [PYTHON, *map(str, arguments)]
    if not on_a_node():
        image = Image()
        image.ensure(progress)
        words = image.command(words, {folder: str(folder) for folder in folders})
    return run(words, input=input, hint=hint)

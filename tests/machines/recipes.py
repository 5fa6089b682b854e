"""A recipe, followed as a reader would paste it, on a stack that is up."""

import re
import sys
from itertools import groupby
from pathlib import Path

from ops.run import run
from tests.machines.live import Live
from tests.unit.documents import FENCE, ROOT

FOLDER = ROOT / "docs" / "recipes"
FILE = re.compile(r"# (\w+\.py)\n")
BEGIN = FENCE.findall((FOLDER / "README.md").read_text())[0][1].splitlines()[-1]
SECONDS = 600
ALL = slice(None)


def environment(stack: Live) -> dict[str, str]:
    """What the page before all recipes has its reader set."""
    printed = stack.run("sh", "-ec", f"{BEGIN}\nenv -0").stdout
    found = dict(pair.split("=", 1) for pair in printed.split("\0") if pair)
    return {name: found[name] for name in ("SLIPWAY", "URL")}


def followed(stack: Live, recipe: str, folder: Path, blocks: slice = ALL) -> str:
    """What the recipe's commands print, of these of its blocks. One that begins with a file's name is that file; what
    stands together in one language is one session."""
    printed, variables = [], environment(stack)
    chosen = FENCE.findall((FOLDER / f"{recipe}.md").read_text())[blocks]
    for kind, found in groupby(chosen, key=lambda block: block[0]):
        session = []
        for _, text in found:
            if name := FILE.match(text):
                (folder / name[1]).write_text(text)
            else:
                session.append(text)
        if session:
            words = ["sh", "-ec"] if kind == "sh" else [sys.executable, "-c"]
            argv = [*words, "\n".join(session)]
            printed.append(run(argv, cwd=folder, env=variables, timeout_seconds=SECONDS).stdout)
    return "\n".join(printed)

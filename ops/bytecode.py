"""Compiles a tree of Python files to byte code that is the same every time. Run by the node's own Python, by path.

Standard library only. The result depends on what the same process compiled before (strings that it already knows are
marked), so the top folders are shared out by their names and sizes alone, never by which process happens to be free.
"""

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

SHARES = 8


def main(root: Path) -> int:
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        return max(pool.map(lambda share: compile_share(root, share), shares(root)), default=0)


def shares(root: Path) -> list[list[Path]]:
    """The folders two levels down, and the files beside them, in at most `SHARES` lists of about equal size."""
    entries = [path for folder in root.iterdir() if folder.is_dir() for path in folder.iterdir()]
    sizes = {path: size(path) for path in entries if path.is_dir() or path.suffix == ".py"}
    lists: list[list[Path]] = [[] for _ in range(SHARES)]
    totals = [0] * SHARES
    for path in sorted(sizes, key=lambda path: (-sizes[path], path)):
        smallest = totals.index(min(totals))
        lists[smallest].append(path)
        totals[smallest] += sizes[path]
    return [sorted(share) for share in lists if share]


def size(path: Path) -> int:
    files = path.rglob("*.py") if path.is_dir() else [path]
    return sum(file.stat().st_size for file in files)


def compile_share(root: Path, share: list[Path]) -> int:
    """Exit status 1 of compileall is a file that is not Python 3, such as a template: nobody imports it."""
    argv = [sys.executable, "-m", "compileall", "-qq", "-f", "--invalidation-mode", "unchecked-hash", "-s", str(root)]
    done = subprocess.run([*argv, *map(str, share)], env={**os.environ, "PYTHONHASHSEED": "0"}, check=False)
    return 0 if done.returncode in (0, 1) else done.returncode


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))

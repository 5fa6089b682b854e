"""Makes a bare repository take pushes: git's settings, and hooks that lead here."""

import re
import shlex
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from ops.errors import UserError
from ops.push.repository import FORCED, OURS_TO_MOVE, Repository
from ops.run import run

ROOT = Path(__file__).resolve().parents[2]
OURS = ("env", f"PYTHONPATH={ROOT}", sys.executable, "-P")
"""-P: nothing of the folder at hand is imported."""
HOOKS = ("pre-receive", "proc-receive")
NEEDED = (2, 29)
BRANCH = re.compile(r"[A-Za-z0-9][A-Za-z0-9._/-]*")


def make(
    folder: Path,
    branch: str,
    *,
    environment: Path | None = None,
    stack: str = "",
    keep: bool = False,
    command: Sequence[str] = (),
) -> Repository:
    """The repository, made unless it is there; its settings are these from now on. Raises `UserError`.

    `environment` is a file of shell lines by which a hook finds the stack, as `.slipway/env` is; `command` is the
    Python that runs it, this one without.
    """
    if not BRANCH.fullmatch(branch) or ".." in branch:
        raise UserError(f"{branch!r} is no name of a branch", "production, or main")
    if folder.exists() and any(folder.iterdir()) and not (folder / "HEAD").exists():
        raise UserError(f"{folder} is not empty, and no bare repository", "name a new folder")
    if environment is not None and not environment.is_file():
        raise UserError(f"there is no file {environment}", "`make up` writes .slipway/env; for AWS write one yourself")
    refuse_old_git(run(["git", "--version"], hint="git is a package: apt install git").stdout)
    if not (folder / "HEAD").exists():
        run(["git", "init", "--quiet", "--bare", folder])
    found = Repository(folder.resolve())
    for name, value in settings(branch, keep=keep):
        found.git("config", name, value)
    found.git("symbolic-ref", "HEAD", found.reference)
    for hook in HOOKS:
        place = found.folder / "hooks" / hook
        place.parent.mkdir(exist_ok=True)
        place.write_text(script(hook, environment, stack, command or OURS))
        place.chmod(0o755)
    found.state.mkdir(exist_ok=True)
    return found


def refuse_old_git(version: str) -> None:
    """An older one knows no proc-receive hook, and would move the branch at once. Raises `UserError`."""
    found = tuple(int(number) for number in re.findall(r"\d+", version)[:2])
    if found < NEEDED:
        raise UserError(f"{version.strip()} is too old", "it must be git 2.29 or newer")


def settings(branch: str, *, keep: bool) -> Iterator[tuple[str, str]]:
    yield "slipway.branch", branch
    yield "slipway.program", str(ROOT / "ops" / "bin" / "slipway")
    yield "slipway.kept", str(keep).lower()
    yield OURS_TO_MOVE, f"refs/heads/{branch}"
    yield FORCED, "true"
    yield "gc.auto", "0"  # it would look for garbage while another push is under way
    yield "core.logAllRefUpdates", "true"


def script(hook: str, environment: Path | None, stack: str, command: Sequence[str]) -> str:
    """A hook, in shell."""
    lines = ["#!/bin/sh", "# Made by `slipway push init`, which writes it anew."]
    if environment is not None:
        lines.append(f". {shlex.quote(str(environment.resolve()))}")
    if stack:
        lines.append(f"export SLIPWAY_STACK={shlex.quote(stack)}")
    return "\n".join([*lines, f"exec {shlex.join([*command, '-m', 'ops.push.receive', hook])}", ""])

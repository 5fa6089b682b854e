"""`python -m ops.push.node prepare`: what the pipeline node's boot calls, as root, so that operators can push to it.

The account is the one that trains, for a push trains as it does. Its shell is git's own, which can do nothing but
fetch and push, and its keys are the operators' that the node was made with. The repository comes back from the bucket
when the node is a new one.
"""

import os
import pwd
import shutil
import stat
import sys
from collections.abc import Iterator
from pathlib import Path

from contract import PATHS
from ops import store
from ops.errors import UserError, reported
from ops.push import init, kept
from ops.push.remote import PLACE, USER, branch
from ops.push.repository import Repository
from ops.run import run

SHELL = "/usr/bin/git-shell"
OPERATOR = "admin"
RESTRICTED = "restrict"
"""Of sshd: no forwarding, no agent, no terminal."""
PYTHON = f"{PATHS.bin}/slipway-training-python"
KEYS = Path(PATHS.authorized_keys)
TYPES = ("ssh-ed25519 ", "ssh-rsa ", "ecdsa-sha2-", "sk-")


def prepare(home: Path = Path("/home")) -> Repository:
    """Account, keys, repository, hooks: made, or made right again. Raises `UserError`."""
    if not shutil.which("git"):
        raise UserError("this node has no git", "it is among the packages of its role")
    account = pwd.getpwnam(USER)
    if account.pw_shell != SHELL:
        run(["usermod", "--shell", SHELL, USER])
    keys = list(restricted((home / OPERATOR / ".ssh" / "authorized_keys").read_text()))
    write(KEYS / USER, "".join(f"{key}\n" for key in keys))
    made = repository(Path(PLACE), branch())
    own(Path(PLACE).parent, account.pw_uid, account.pw_gid)
    return made


def restricted(text: str) -> Iterator[str]:
    """The public keys of an account, which may do nothing here but push."""
    for line in text.splitlines():
        if line.startswith(TYPES):
            yield f"{RESTRICTED} {line.strip()}"


def repository(folder: Path, wanted: str) -> Repository:
    """The repository of this node, with what the bucket has kept. Raises `UserError`."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    program = folder.parent / "slipway"
    write(program, f'#!/bin/sh\nexec {PYTHON} -m ops "$@"\n', 0o755)
    made = init.make(folder, wanted, keep=True, command=[PYTHON, "-P"])
    made.git("config", "slipway.program", str(program))
    kept.restore(made, store.current())
    return made


def write(file: Path, text: str, mode: int = 0o644) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    draft = file.with_name(f".{file.name}.new")
    draft.write_text(text)
    draft.chmod(mode)
    draft.replace(file)


def own(folder: Path, user: int, group: int) -> None:
    for path in (folder, *folder.rglob("*")):
        os.chown(path, user, group, follow_symlinks=False)
    folder.chmod(stat.S_IRWXU | stat.S_IRGRP | stat.S_IXGRP)


if __name__ == "__main__":
    with reported("slipway push"):
        if sys.argv[1:] != ["prepare"]:
            raise UserError("this has one verb, prepare")
        ready = prepare()
        print(f"{ready.folder} takes {ready.branch}; it is at {ready.tip()}")

"""The way from a user's repository to the pipeline node's: a remote, and the ssh that git calls for it.

git has one ssh command for all remotes of a repository. Ours asks for the node each time, for nodes are replaced, and
leaves every host but the stack's alone.
"""

import os
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path

import boto3

from contract import PATHS, USERS
from ops import store
from ops.errors import UserError, reported
from ops.inventory import Access
from ops.nodes import Node, nodes
from ops.remote import known
from ops.remote import options as ways
from ops.run import run

ROOT = Path(__file__).resolve().parents[2]
ROLE = "pipeline"
USER = USERS.pipeline
HOST = "{stack}.slipway.internal"
PLACE = PATHS.pushed
BRANCH = "production"
SETTING = "push_branch"
"""In what the stack tells of its pipeline node: the branch that is taken, as `infra/pipeline.py` has it."""
LONELY = frozenset("46AaCfGgKkMNnqsTtVvXxYy")
"""ssh's options without a value: https://man.openbsd.org/ssh"""


def add(folder: Path, name: str, environment: Path | None) -> str:
    """Sets the remote and the command in the user's repository; returns the address. Raises `UserError`."""
    access = Access.from_environment()
    hint = "call this inside the repository that is to be pushed"
    run(["git", "rev-parse", "--git-dir"], cwd=folder, hint=hint)
    mine = command(environment)
    other = run(["git", "config", "--get", "core.sshCommand"], cwd=folder, check=False).stdout.strip()
    if other and other != mine and "ops.push.remote" not in other:
        raise UserError(f"this repository has an ssh command of its own: {other}", "git config --unset core.sshCommand")
    url = f"ssh://{USER}@{HOST.format(stack=access.stack)}{PLACE}"
    there = run(["git", "remote"], cwd=folder).stdout.split()
    run(["git", "remote", *(["set-url", name, url] if name in there else ["add", name, url])], cwd=folder)
    run(["git", "config", "core.sshCommand", mine], cwd=folder)
    run(["git", "config", "ssh.variant", "ssh"], cwd=folder)
    return url


def branch() -> str:
    """The one that the stack's pipeline node takes; on the node its facts say it."""
    found = store.outputs().get("pipeline")
    wanted = found.get(SETTING) if isinstance(found, dict) else None
    return str(wanted or BRANCH)


def command(environment: Path | None) -> str:
    """A shell's words, to which git adds its own."""
    words = shlex.join(["env", f"PYTHONPATH={ROOT}", sys.executable, "-P", "-m", "ops.push.remote"])
    return f". {shlex.quote(str(environment.resolve()))}; {words}" if environment else words


def options(arguments: Sequence[str], access: Access) -> list[str]:
    """What ssh is to be told besides: nothing for a host that is not the stack's pipeline node. Raises `UserError`."""
    if host(arguments).rpartition("@")[2] != HOST.format(stack=access.stack):
        return []
    client = boto3.client("ec2")
    node = pipeline(nodes(access.stack, client))
    if why := known(node, access, client):
        raise UserError(f"{node.name} cannot be reached: {why}", "EC2 shows the console some minutes after the start")
    return ways(node, access)


def host(arguments: Sequence[str]) -> str:
    """The destination among ssh's arguments: the first that is neither an option nor an option's value."""
    words = iter(arguments)
    for word in words:
        if not word.startswith("-"):
            return word
        if word[-1] not in LONELY and len(word) == 2:
            next(words, None)
    return ""


def pipeline(found: Sequence[Node]) -> Node:
    """Raises `UserError` when the stack has none."""
    running = [node for node in found if node.role == ROLE and node.state == "running"]
    if not running:
        raise UserError("this stack has no pipeline node", "`slipway push init DIR` makes a repository on this machine")
    return running[0]


def main(arguments: Sequence[str]) -> None:
    ours: list[str] = []
    if host(arguments).endswith(HOST.format(stack="")):
        with reported("slipway push"):
            ours = options(arguments, Access.from_environment())
    os.execvp("ssh", ["ssh", *ours, *arguments])  # noqa: S606


if __name__ == "__main__":
    main(sys.argv[1:])

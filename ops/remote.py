"""Commands on nodes over ssh, many at once, each within its time; what stands in the way is one clear line.

The same way in as Ansible's: the inventory's options, its pinned host keys, sudo on the node.
"""

import shlex
import subprocess
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import boto3

from ops import hostkeys
from ops.inventory import USER, Access, ssh_arguments
from ops.nodes import Node

CONNECT_SECONDS = 10
AT_ONCE = 10  # an EC2 Instance Connect Endpoint admits 20 connections
REASONS = {
    "REMOTE HOST IDENTIFICATION HAS CHANGED": "its host key is not the one that it showed on its console",
    "Host key verification failed": "its host key is not known here",
    "Permission denied": "it refuses this SSH key",
    "Connection refused": "it refuses the connection",
    "timed out": "it does not answer",
    "Connection closed": "it closes the connection",
    "No route to host": "there is no way to it",
}


@dataclass(frozen=True)
class Answer:
    """What a command on a node printed; `error` says in one line why there is nothing.

    `status` is the command's exit status, 255 where ssh did not come as far: None when nothing ended at all.
    """

    output: str = ""
    error: str = ""
    status: int | None = None


def options(node: Node, access: Access) -> list[str]:
    """How ssh comes to the node: its address or tunnel, the pinned host key, and the operator's own."""
    return [*shlex.split(ssh_arguments(node, access)), *(["-i", str(access.key)] if access.key else [])]


def command(node: Node, access: Access, words: Sequence[str]) -> list[str]:
    """The ssh command that runs `words` as root on the node."""
    wanted = ("BatchMode=yes", f"ConnectTimeout={CONNECT_SECONDS}", "ServerAliveInterval=5", "LogLevel=ERROR")
    quiet = [word for option in wanted for word in ("-o", option)]
    return [
        *("ssh", *options(node, access), *quiet),
        *(f"{USER}@{node.id}", "--", shlex.join(["sudo", "--non-interactive", "--", *words])),
    ]


def known(node: Node, access: Access, client: Any) -> str:
    """Why the node cannot be asked: empty once its host key is pinned. Asks the API where it is not yet."""
    if node.state != "running":
        return f"it is {node.state}"
    shown = hostkeys.known(access.known_hosts, node.id, lambda: client)
    return "" if shown else "it has shown no host key on its console yet"


def pin_all(nodes: Sequence[Node], access: Access) -> dict[str, str]:
    """By name, the nodes that cannot be asked, and why."""
    client = boto3.client("ec2")
    return {node.name: why for node in nodes if (why := known(node, access, client))}


def ask(node: Node, access: Access, words: Sequence[str], seconds: float) -> Answer:
    try:
        done = subprocess.run(
            command(node, access, words),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            check=False,
            timeout=seconds,
        )
    except subprocess.TimeoutExpired:
        return Answer(error=f"no answer within {seconds:g} s")
    if done.returncode:
        why = explained(done.stderr) or f"exit status {done.returncode}"
        return Answer(done.stdout, why, done.returncode)
    return Answer(done.stdout, status=0)


def ask_all(nodes: Sequence[Node], access: Access, words: Sequence[str], seconds: float) -> dict[str, Answer]:
    """By instance id, from all at once."""
    with ThreadPoolExecutor(AT_ONCE) as pool:
        return dict(zip((n.id for n in nodes), pool.map(lambda n: ask(n, access, words, seconds), nodes), strict=True))


def explained(stderr: str) -> str:
    """What ssh or the command complained of, in one line."""
    for sign, reason in REASONS.items():
        if sign in stderr:
            return reason
    lines = [line.strip() for line in stderr.splitlines() if line.strip()]
    return lines[-1][:200] if lines else ""

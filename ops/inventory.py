"""Ansible's inventory of a stack, from the cloud's API: the same against AWS and the local cloud.

How a node is reached is the one difference, and it is the environment's: `SLIPWAY_SSH_PROXY` holds an ssh
ProxyCommand with `{id}` and `{address}` in it. Without it, an EC2 Instance Connect Endpoint is used; `direct` is for
a controller inside the VPC.
"""

import os
import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3

from ops import hostkeys
from ops.errors import UserError
from ops.nodes import Node, nodes

ENDPOINT = "aws ec2-instance-connect open-tunnel --instance-id {id} --remote-port 22"
ROOT = Path(__file__).resolve().parent.parent
USER = "admin"
GROUPS = {"worker": ("serving", "worker")}


@dataclass(frozen=True, kw_only=True)
class Access:
    """How this operator reaches nodes: the stack, a private key, an ssh proxy, and where host keys are pinned."""

    stack: str
    key: Path | None
    proxy: str
    known_hosts: Path

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] = os.environ) -> "Access":
        """Raises `UserError` when no stack is named."""
        stack = environment.get("SLIPWAY_STACK")
        if not stack:
            raise UserError("no stack is named", "SLIPWAY_STACK=prod ansible-playbook …, or `. .slipway/env` for local")
        key = environment.get("SLIPWAY_SSH_KEY_FILE")
        return cls(
            stack=stack,
            key=Path(key) if key else None,
            proxy=environment.get("SLIPWAY_SSH_PROXY") or ENDPOINT,
            known_hosts=Path(environment.get("SLIPWAY_KNOWN_HOSTS") or ROOT / ".slipway" / "known_hosts") / stack,
        )


def ssh_arguments(node: Node, access: Access) -> str:
    """ssh's options for one node, as Ansible appends them to its own."""
    options = [
        f"HostKeyAlias={node.id}",
        f"UserKnownHostsFile={access.known_hosts / node.id}",
        "GlobalKnownHostsFile=/dev/null",
        "StrictHostKeyChecking=yes",
        "IdentitiesOnly=yes" if access.key else "IdentitiesOnly=no",
    ]
    if access.proxy == "direct":
        options.append(f"HostName={node.address}")
    else:
        options.append(f"ProxyCommand={access.proxy.format(id=node.id, address=node.address)}")
    return " ".join(f"-o {shlex.quote(option)}" for option in options)


def build(found: list[Node], access: Access) -> dict[str, Any]:
    """Ansible's JSON inventory: one group a role, hosts named `role-instance id`, variables under `_meta`.

    Worker nodes are in `serving` too, after the others: rollouts reach them, and the first one is not theirs.
    """
    groups: dict[str, Any] = {}
    hostvars = {}
    for node in found:
        for group in GROUPS.get(node.role, (node.role,)):
            groups.setdefault(group, {"hosts": []})["hosts"].append(node.name)
        hostvars[node.name] = {
            # Not the address: stacks share private addresses, and Ansible keeps connections open by host name.
            "ansible_host": node.id,
            "ansible_user": USER,
            "ansible_python_interpreter": "/usr/bin/python3",
            "ansible_ssh_common_args": ssh_arguments(node, access),
            "slipway_role": node.role,
            "slipway_instance_id": node.id,
            "slipway_group": node.group,
            **({"ansible_ssh_private_key_file": str(access.key)} if access.key else {}),
        }
    return {**groups, "_meta": {"hostvars": hostvars}}


def inventory(access: Access) -> dict[str, Any]:
    """The inventory of the stack's running nodes, each with its host keys pinned.

    Raises `UserError` for a stack without nodes, and for a node that has shown no host key: a play that silently
    leaves a machine out is worse than one that does not start.
    """
    client = boto3.client("ec2")
    running = [node for node in nodes(access.stack, client) if node.state == "running"]
    if not running:
        raise UserError(f"stack {access.stack} has no running node", "is it up, and is this its account and region?")
    silent = [node.id for node in running if not hostkeys.known(access.known_hosts, node.id, lambda: client)]
    if silent:
        raise UserError(
            f"{', '.join(silent)} has shown no host key on its console yet",
            "EC2 shows the console some minutes after the start: try again",
        )
    return build(running, access)

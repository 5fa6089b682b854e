"""SSH host keys of nodes: read from the console, which only the account's owner sees, then pinned by instance id.

Nobody is asked to trust a key that came over the very connection it should protect. The console keeps only its last
64 KB, so a key that was read once stays pinned, and another one on the console is an error, never an update.
"""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from botocore.exceptions import ClientError

from ops.errors import UserError

BLOCK = re.compile(r"-----BEGIN SSH HOST KEY KEYS-----(.*?)-----END SSH HOST KEY KEYS-----", re.DOTALL)
KEY = re.compile(r"\b((?:ssh|ecdsa)-[a-z0-9-]+) ([A-Za-z0-9+/=]{40,})")


def on_console(text: str) -> set[str]:
    """The keys of the last whole block that cloud-init or the node's own unit printed, as `type base64`."""
    blocks = BLOCK.findall(text)
    return {f"{kind} {key}" for kind, key in KEY.findall(blocks[-1])} if blocks else set()


def pinned(folder: Path, instance_id: str) -> set[str]:
    path = folder / instance_id
    if not path.exists():
        return set()
    return {" ".join(line.split()[1:3]) for line in path.read_text().splitlines() if line.strip()}


def pin(folder: Path, instance_id: str, console: str) -> bool:
    """Pins what the console shows, when nothing is pinned yet. False while the console has shown no key.

    Raises `UserError` when the console shows other keys than the pinned ones.
    """
    held, shown = pinned(folder, instance_id), on_console(console)
    if held and shown and not held & shown:
        raise UserError(
            f"the host keys of {instance_id} have changed since they were first read",
            f"if you rebuilt its disk yourself, delete {folder / instance_id}; else somebody is in between",
        )
    if not held and shown:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        (folder / instance_id).write_text("".join(f"{instance_id} {key}\n" for key in sorted(shown)))
    return bool(held or shown)


def known(folder: Path, instance_id: str, ec2: Callable[[], Any]) -> bool:
    """Whether the keys of an instance are pinned, by now: where they are not yet, its console is asked for by `ec2`.

    Raises as `pin` does.
    """
    return bool(pinned(folder, instance_id)) or pin(folder, instance_id, console_output(ec2(), instance_id))


def console_output(client: Any, instance_id: str) -> str:
    """The console of an instance, the newest that its type can give (`Latest` is for Nitro types only)."""
    try:
        answer = client.get_console_output(InstanceId=instance_id, Latest=True)
    except ClientError as error:
        if error.response["Error"]["Code"] != "UnsupportedOperation":
            raise
        answer = client.get_console_output(InstanceId=instance_id)
    return str(answer.get("Output", ""))

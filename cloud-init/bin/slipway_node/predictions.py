"""The prediction log's way from this node's disk to the bucket, as a user that can do nothing else.

The server, which has no network, appends to `current.jsonl` and bounds the folder: see app/core/sample_files.py. Here
that file is closed, by a rename under the server's own lock, and every closed file is sent and removed. What cannot be
sent stays for the next time; a file's key is its own, so none is there twice.
"""

import fcntl
import gzip
import os
import socket
from datetime import UTC, datetime
from pathlib import Path

from slipway_node.cloud import Cloud
from slipway_node.node import ActivationError, Node, log

CURRENT, LOCK, ENDING = "current.jsonl", "lock", ".jsonl"


def main() -> int:
    node = Node.load()
    try:
        shipped = ship(node, Cloud(node))
    except ActivationError as failure:
        log("predictions not shipped", message=str(failure), files=len(closed(node.predictions)))
        return node.exits[failure.exit_name]
    if shipped:
        log("predictions shipped", files=shipped)
    return node.exits["ok"]


def ship(node: Node, cloud: Cloud) -> int:
    """Returns how many files went. Raises `UnreachableError` at the first that did not go."""
    close(node.predictions)
    shipped = 0
    for file in closed(node.predictions):
        try:
            content = file.read_bytes()
        except FileNotFoundError:  # the oldest goes when the folder is full
            continue
        cloud.create(f"{node.keys['predictions']}{key(file)}", gzip.compress(content, mtime=0))
        file.unlink(missing_ok=True)
        shipped += 1
    return shipped


def close(folder: Path) -> None:
    """What the server writes from now on goes into another file."""
    try:
        lock = (folder / LOCK).open("r+b")
    except FileNotFoundError:
        return
    with lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if (folder / CURRENT).exists():
            name = f"{datetime.now(UTC):%Y%m%dT%H%M%S.%fZ}-{os.urandom(3).hex()}{ENDING}"
            (folder / CURRENT).rename(folder / name)


def closed(folder: Path) -> list[Path]:
    """The oldest first."""
    return sorted(path for path in folder.glob(f"*{ENDING}") if path.name != CURRENT)


def key(file: Path) -> str:
    """By day, as query engines like it; the node's name says where it comes from."""
    name = file.name
    return f"day={name[:4]}-{name[4:6]}-{name[6:8]}/{socket.gethostname()}-{name}.gz"

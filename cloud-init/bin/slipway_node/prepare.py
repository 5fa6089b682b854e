"""Brings a deployment here while another one serves, so that activating it is quick.

It takes no activation's lock and starts nothing. What keeps its files from being pruned meanwhile is a folder of its
own beside the slots.
"""

import fcntl
import os
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager

from slipway_node import fetch
from slipway_node.cloud import Cloud
from slipway_node.fetch import Manifest
from slipway_node.node import OTHER_SLOT, ActivationError, Node, log
from slipway_node.slots import Slots


def prepare(node: Node, cloud: Cloud, wanted: str) -> None:
    """Raises `ActivationError` fetch or digest. Safe to repeat: what is here already is left as it is."""
    started = time.monotonic()
    manifest = fetch.manifest(node, cloud, wanted)
    with keeping(node):
        for other in prepared(node):
            if other != wanted:
                drop(node, other)
        if manifest_in(node, wanted) is None:
            Slots(node).fill(wanted, manifest)
    try:
        fetch.files(node, cloud, manifest)
    except ActivationError:
        with keeping(node):
            drop(node, wanted)
        raise
    log("prepared", deployment=wanted, seconds=round(time.monotonic() - started, 1))


def prepared(node: Node) -> list[str]:
    """The deployments that were prepared and not confirmed since."""
    return [entry.name for entry in node.slots.iterdir() if entry.name not in OTHER_SLOT]


def awaiting(node: Node, confirmed: str | None) -> list[Manifest]:
    """What was prepared and still needs its files; the rest of what was prepared is dropped. Asked while `keeping`."""
    found = {name: manifest_in(node, name) for name in prepared(node)}
    for name, manifest in found.items():
        if manifest is None or name == confirmed:
            drop(node, name)
    return [manifest for name, manifest in found.items() if manifest and name != confirmed]


def manifest_in(node: Node, deployment: str) -> Manifest | None:
    """The manifest of a prepared deployment, None when its preparation was ended before it was written."""
    try:
        return fetch.parse_manifest(deployment, (node.slots / deployment / "deployment.json").read_bytes())
    except (FileNotFoundError, ActivationError):
        return None


def drop(node: Node, deployment: str) -> None:
    shutil.rmtree(node.slots / deployment)


@contextmanager
def keeping(node: Node) -> Iterator[None]:
    """While somebody decides which files stay, nobody else does. Held for no longer than removing them takes."""
    handle = os.open(node.slots, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)

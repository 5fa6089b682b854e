"""Which deployments' files stay on this node's disk."""

from collections.abc import Callable
from typing import TypeVar

from slipway_node import fetch, prepare, state
from slipway_node.node import Node, log
from slipway_node.room import NoRoomError

FEWEST = 2
"""What serves and what served before it: they never go."""

T = TypeVar("T")


def prune(node: Node, history: list[str], confirmed: str | None) -> None:
    """Keeps the files of what is in the history or prepared; a digest is fetched again when it is wanted again."""
    with prepare.keeping(node):
        waiting = prepare.awaiting(node, confirmed)
        trial = state.load(node.state).trial
        wanted = [*history, *([trial.deployment] if trial else [])]
        manifests = [manifest for kept in wanted if (manifest := fetch.read_manifest(node, kept))]
        if confirmed and confirmed not in {manifest.id for manifest in manifests}:
            return
        kept = {
            name
            for manifest in manifests + waiting
            for name in (manifest.id, manifest.release, *manifest.model_digests)
        } | {node.jobs.resolve().name}
        for folder in (node.releases, node.models, node.deployments):
            for entry in folder.iterdir() if folder.is_dir() else []:
                if entry.name.removesuffix(".json") not in kept and fetch.discard(entry):
                    log("prune", path=str(entry))


def with_room(node: Node, fetching: Callable[[], T]) -> T:
    """What `fetching` returns; when the disk is too full, once more after all went that may go."""
    try:
        return fetching()
    except NoRoomError as failure:
        log("full", message=str(failure))
        now = state.load(node.state)
        prune(node, now.history[:FEWEST], now.confirmed.deployment if now.confirmed else None)
        return fetching()

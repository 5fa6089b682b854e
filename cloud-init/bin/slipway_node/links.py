"""The files by which Nginx gives a candidate traffic (trial.conf): links to its socket, and a name for each bucket.

They lie in a folder that only root writes: a candidate's own code cannot take more than it is given.
"""

from pathlib import Path

from slipway_node.node import Node

CANDIDATE = "candidate.sock"
SHADOW = "shadow.sock"
BUCKET = "share-"


def give(node: Node, slot: str, percent: int) -> None:
    """The slot gets `percent` of the predictions, which is one of the steps; with 0, copies of them all."""
    node.trial.mkdir(mode=0o755, exist_ok=True)
    wanted = {f"{BUCKET}{step}" for step in node.percents if step <= percent}
    _link(node.trial / (CANDIDATE if percent else SHADOW), node.socket(slot))
    for entry in node.trial.iterdir():
        if entry.name.startswith(BUCKET) and entry.name not in wanted:
            entry.unlink()
    for name in sorted(wanted):
        (node.trial / name).touch(mode=0o644)
    (node.trial / (SHADOW if percent else CANDIDATE)).unlink(missing_ok=True)


def take(node: Node) -> None:
    """No candidate gets anything. Its socket goes last: a request may have looked already."""
    for entry in node.trial.iterdir() if node.trial.is_dir() else []:
        if entry.name != CANDIDATE:
            entry.unlink()
    (node.trial / CANDIDATE).unlink(missing_ok=True)


def _link(place: Path, target: Path) -> None:
    """Atomic, as the links of the slots are."""
    partial = place.with_name(f".{place.name}.partial")
    partial.unlink(missing_ok=True)
    partial.symlink_to(target)
    partial.replace(place)

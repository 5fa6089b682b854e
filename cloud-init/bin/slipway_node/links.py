"""The files by which Nginx gives a candidate traffic (trial.conf): links to its socket, and a name for each bucket.

They lie in a folder that only root writes: a candidate's own code cannot take more than it is given.
"""

from slipway_node.node import Node
from slipway_node.slots import relink

CANDIDATE = "candidate.sock"
SHADOW = "shadow.sock"
SOCKETS = (CANDIDATE, SHADOW)
COPIES = "shadow"
BUCKET = "share-"
REST = "rest"


def give(node: Node, slot: str, percent: int) -> None:
    """The slot gets `percent` of the predictions, which is one of the steps; with 0, copies of them all."""
    node.trial.mkdir(mode=0o755, exist_ok=True)
    buckets = [f"{BUCKET}{step}" for step in node.percents if step <= percent]
    wanted = buckets if percent else [COPIES, *(f"{BUCKET}{step}" for step in (*node.percents, REST))]
    for name in SOCKETS:
        relink(node.trial / name, node.socket(slot))
    _leave(node, {*wanted, *SOCKETS})
    for name in wanted:
        (node.trial / name).touch(mode=0o644)


def take(node: Node) -> None:
    """No candidate gets anything. Its socket goes last: a request may have looked already."""
    _leave(node, set(SOCKETS))
    _leave(node, set())


def _leave(node: Node, wanted: set[str]) -> None:
    """`COPIES` goes after the buckets and comes before them: without it, they are given for good."""
    entries = list(node.trial.iterdir()) if node.trial.is_dir() else []
    for entry in sorted(entries, key=lambda each: not each.name.startswith(BUCKET)):
        if entry.name not in wanted:
            entry.unlink()

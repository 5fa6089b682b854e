"""The queue of asynchronous predictions in one line: how many wait, and who takes them."""

from collections.abc import Sequence

from ops.nodes import Node
from ops.status.facts import NodeStatus


def words(fleet: Sequence[NodeStatus], brokers: Sequence[Node], workers: Sequence[Node] = ()) -> str:
    """Of the nodes that accept jobs, of those that only work on them, and of the broker's. Empty without jobs."""
    told = [node.jobs for node in fleet if node.jobs is not None]
    if not told and not brokers:
        return ""
    queued = [each["queued"] for each in told if each.get("queued") is not None]
    well = sum(bool(each.get("broker") and each.get("database")) for each in told)
    running = ", ".join(f"{node.name} {node.state}" for node in brokers) or "no broker"
    count = f"{max(queued)} queued" if queued else "nobody knows how many are queued"
    there = sum(node.state == "running" for node in workers)
    work = f"; {there} of {len(workers)} worker nodes run" if workers else ""
    return f"{count}; {well} of {len(fleet)} nodes accept them{work}; {running}"

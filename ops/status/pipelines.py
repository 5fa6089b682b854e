"""The pipeline node in one line: whether it has said that Airflow is well on it."""

from collections.abc import Callable, Sequence

from ops.nodes import Node


def words(found: Sequence[Node], announced: Callable[[], str]) -> str:
    """Empty where there is none. `announced` gives the address that the last one ready has written."""
    if not found:
        return ""
    address = announced()
    return ", ".join(f"{node.name} {node.state}, {_readiness(node, address)}" for node in found)


def _readiness(node: Node, address: str) -> str:
    return "ready" if node.state == "running" and node.address == address else "not ready"

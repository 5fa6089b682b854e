"""`python3 -m compose.trial ID`, in the sandbox: whether a deployment starts and answers as it must.

The server is the one that would serve it, and the questions are the gate's. Exit status 1 and one line when it fails.
"""

import sys
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

from slipway_node import fetch, gate
from slipway_node.node import ActivationError, Node

from compose.processes import Processes

SLOT = "a"


def passes(node: Node, deployment: str) -> None:
    """Raises `ActivationError`."""
    manifest = fetch.read_manifest(node, deployment)
    if manifest is None:
        raise ActivationError("fetch", f"deployment {deployment} is not on the volume")
    slots = Processes(node)
    slots.fill(SLOT, manifest)
    slots.start(SLOT)
    try:
        gate.wait_ready(node.socket(SLOT), lambda: slots.failed(SLOT))
        gate.check_models(node, node.socket(SLOT), manifest)
    except ActivationError as failure:
        child = slots.children[SLOT]
        slots.stop(SLOT)
        failure.fields["log"] = list(child.lines)
        raise
    slots.stop(SLOT)


def main(deployment: str) -> None:
    with TemporaryDirectory(prefix="slipway-trial-") as folder:
        node = replace(Node.load(), run=Path(folder), slots=Path(folder))
        try:
            passes(node, deployment)
        except ActivationError as failure:
            print(*failure.fields.get("log", []), sep="\n", file=sys.stderr)
            sys.exit(str(failure))


if __name__ == "__main__":
    main(sys.argv[1])

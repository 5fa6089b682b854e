"""A worker node's word to the group that launched it: it is ready. No balancer asks after such a node.

The group keeps the launch waiting for it (a lifecycle hook): so capacity, an instance refresh and `pulumi up` count
nodes that work, not machines that run, and one that never becomes ready is replaced.
"""

import http.client
import json
import subprocess
from pathlib import Path

from slipway_node.cloud import Cloud
from slipway_node.gate import UnixConnection
from slipway_node.journal import INSTANCE
from slipway_node.node import CONTRACT, ActivationError, Node, log
from slipway_node.slots import CURRENT

LAUNCHING = "Pending"
WAITING = "Pending:Wait"


def main() -> int:
    """0 when there is nothing left to say; else this is to be run again."""
    node = Node.load()
    contract = json.loads(CONTRACT.read_text())
    facts = json.loads(Path(contract["paths"]["facts"]).read_text())
    if reason := unready(node, contract["units"]["worker"]):
        log("not ready", reason=reason)
        return 1
    try:
        return 0 if say(Cloud(node), INSTANCE.read_text().strip(), facts["launch_hook"]) else 1
    except ActivationError as failure:
        log("not said", message=str(failure))
        return 1


def unready(node: Node, worker: str) -> str:
    """Why this node does not work on jobs yet; empty when it does."""
    connection = UnixConnection(node.run / CURRENT)
    try:
        connection.request("GET", "/readyz")
        answer = connection.getresponse()
        answer.read()
        if answer.status != http.HTTPStatus.OK:
            return f"the model server answers {answer.status}"
    except (OSError, http.client.HTTPException) as error:
        return f"no model server answers: {error}"
    finally:
        connection.close()
    active = subprocess.run(["systemctl", "is-active", "--quiet", worker], check=False).returncode == 0
    return "" if active else f"{worker} is not active"


def say(cloud: Cloud, instance: str, hook: str) -> bool:
    """Whether the group needs no further word: it has been told, or waits for none. Raises `UnreachableError`."""
    group, state = cloud.member(instance)
    if state == WAITING:
        cloud.launched(group, instance, hook)
        log("ready", group=group)
        return True
    return not state.startswith(LAUNCHING)

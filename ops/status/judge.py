"""Whether the fleet agrees with the pointer, in words: each node and worker that does not, and why."""

from collections.abc import Iterator
from dataclasses import replace

from ops.status.facts import NodeStatus, Status, Worker

UNWELL = {"unhealthy"}


def judged(status: Status) -> Status:
    return replace(status, problems=list(problems(status)))


def problems(status: Status) -> Iterator[str]:
    if not status.nodes:
        yield "there is no serving node"
    wanted = {(model.name, model.version, model.digest) for model in status.models}
    for node in status.nodes:
        yield from (f"{node.name}: {problem}" for problem in _node(node, status.deployment))
        if stray := _stray(node, status):
            yield f"{node.name}: {stray}"
        if node.deployment != status.deployment:
            continue  # what its workers serve is of that deployment
        for worker in node.workers:
            yield from (f"{node.name}, worker {worker.number}: {p}" for p in _worker(worker, node, wanted))


def _node(node: NodeStatus, wanted: str) -> Iterator[str]:
    if node.error:
        yield node.error
        return
    if node.deployment != wanted:
        yield f"serves {node.deployment or 'nothing'}, not {wanted}"
    if node.provisional:
        yield f"deployment {node.provisional} is provisional, {node.seconds_left} s are left"
    if node.health in UNWELL:
        yield f"the balancer finds it {node.health}"
    if not node.workers:
        yield "no worker has said anything yet"


def _stray(node: NodeStatus, status: Status) -> str:
    """A trial that is not the fleet's. Without one a node is as it should be: new, or started again since."""
    if not node.trial or status.lock or (node.trial, node.trial_percent) == (status.trial, status.trial_percent):
        return ""
    traffic = f"{node.trial_percent}% of its predictions" if node.trial_percent else "copies of its predictions"
    return f"deployment {node.trial} gets {traffic}, which no trial of the fleet says"


def _worker(worker: Worker, node: NodeStatus, wanted: set[tuple[str, str, str]]) -> Iterator[str]:
    if worker.deployment != node.deployment:
        yield f"serves {worker.deployment}, its node {node.deployment}"
        return
    if not worker.ready:
        yield "is not ready"
    here = {(model.name, model.version, model.digest) for model in worker.models}
    for name, version, _ in sorted(here - wanted):
        yield f"serves {name}/{version}, which is not what the deployment has"
    for name, version, _ in sorted(wanted - here):
        yield f"does not serve {name}/{version}"

"""Nodes that only work on jobs: they do, serving nodes no longer do, their number follows what waits, and what is
rolled out reaches them.

On demand: it brings a stack of five machines, and waits for what CloudWatch is told each minute.
"""

import os
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import boto3
import pytest
import requests
from mlflow import MlflowClient

from contract import PORTS, UNITS
from ops.environment import STACK
from ops.nodes import Node
from ops.stack import Stack
from tests.machines import models
from tests.machines.live import Live
from tests.machines.models import MODEL, Deployed
from tests.machines.test_stack_ansible import changes
from tests.machines.test_stack_closed import reaches
from tests.machines.test_stack_jobs import ended, submit
from tests.machines.test_stack_watcher import ALIAS, Right, served_models, status, until_unmixed
from tests.waiting import until

if TYPE_CHECKING:
    from ops.example import Trained

ASKED = "SLIPWAY_TEST_WORKERS"
BACKLOG = 30
WAITING = 100
SECONDS = 300
SIZE = {"desired": "1", "minimum": "1", "maximum": "2", "backlogPerInstance": str(BACKLOG), "instanceType": "t3.small"}
HASTY = {"graceSeconds": "300", "warmupSeconds": "0", "timeoutSeconds": "600"}

pytestmark = [
    pytest.mark.timeout(1800),
    pytest.mark.skipif(os.environ.get(ASKED) != "1", reason=f"it brings five machines: {ASKED}=1"),
]


@pytest.fixture(scope="module", autouse=True)
def _workers(stack: Live) -> Iterator[None]:
    """One serving node that accepts, and one that works. Afterwards as a stack with jobs is."""
    file = stack.checkout / f"Pulumi.{STACK}.yaml"
    kept = file.read_text()
    jobs = {"jobs.enabled": "true", "jobs.concurrency": "1"}
    stack.configure({**jobs, "fleet.desired": "1", **{f"jobs.fleet.{k}": v for k, v in {**SIZE, **HASTY}.items()}})
    stack.make("release")
    stack.up()
    yield
    file.write_text(kept)
    stack.configure({"jobs.enabled": "true"})
    stack.up()
    file.write_text(kept)
    assert stack.nodes("worker") == [], "a fleet that is taken away leaves nothing"
    stack.until_whole("serving")


@pytest.fixture(scope="module")
def client(stack: Live) -> MlflowClient:
    return MlflowClient()


def group(stack: Live) -> dict[str, Any]:
    name = Stack(stack.state).outputs()["worker_group"]
    found = boto3.client("autoscaling").describe_auto_scaling_groups(AutoScalingGroupNames=[name])
    return dict(found["AutoScalingGroups"][0])


def in_service(stack: Live) -> set[str]:
    return {each["InstanceId"] for each in group(stack)["Instances"] if each["LifecycleState"] == "InService"}


def workers(stack: Live) -> list[Node]:
    ready = in_service(stack)
    return [node for node in stack.nodes("worker") if node.id in ready]


def active(stack: Live, node: Node, unit: str) -> bool:
    return stack.shell(node, "systemctl", "is-active", "--quiet", unit, check=False).ok


def worked_on(stack: Live, node: Node) -> str:
    return stack.shell(node, "journalctl", "--quiet", "--output=cat", "--identifier=slipway-worker").stdout


def answered(stack: Live, address: str) -> tuple[str, float]:
    """The deployment that a job was answered by, and the answer."""
    job = ended(stack, address, SECONDS)
    assert job["state"] == "succeeded", job
    result = requests.get(f"{stack.url}{address}/result", timeout=30).json()
    return str(job["deployment"]), float(result["predictions"][0])


def is_by(deployed: Deployed, deployment: str, value: float) -> bool:
    """A compiled model's answer is its original's but for the last digits of float32."""
    return deployment == deployed.id and value == pytest.approx(deployed.value)


def test_up_has_waited_until_the_worker_node_is_ready(stack: Live) -> None:
    (node,) = workers(stack)
    assert active(stack, node, UNITS.worker)
    assert stack.activation(node)["serving"] == stack.store.pointer()
    assert stack.shell(node, "systemctl", "show", "-P", "CPUSchedulingPolicy", UNITS.worker).stdout.strip() == "0"


def test_jobs_are_worked_on_there_and_on_no_serving_node(stack: Live, example: "Trained", first: Deployed) -> None:
    (node,), (serving,) = workers(stack), stack.nodes("serving")
    assert not active(stack, serving, UNITS.worker)
    assert active(stack, serving, UNITS.jobs)
    assert not active(stack, node, UNITS.jobs)
    addresses = [submit(stack, models.body(example.rows)) for _ in range(5)]
    assert all(is_by(first, *answered(stack, address)) for address in addresses)
    written = worked_on(stack, node)
    assert all(address.rpartition("/")[2] in written for address in addresses)


def test_nobody_but_operators_reaches_a_worker_node(stack: Live) -> None:
    (node,), (serving,), (tracking,) = workers(stack), stack.nodes("serving"), stack.nodes("tracking")
    assert reaches(stack, tracking, node.address, PORTS.ssh), "the watcher rolls out to it"
    assert not reaches(stack, serving, node.address, PORTS.ssh)
    for other in (serving, tracking):
        assert not reaches(stack, other, node.address, PORTS.node_http)


def test_the_playbook_finds_nothing_to_change_and_status_shows_it(stack: Live) -> None:
    (node,) = workers(stack)
    printed = stack.playbook("site.yml", "--check", "--diff").stdout
    assert [*changes(printed).values()] == [0, 0, 0, 0], printed
    shown = stack.run("slipway", "status", "--json").stdout
    assert node.name in shown
    assert "1 of 1 worker nodes run" in shown


def test_an_alias_that_moves_reaches_the_worker_node_and_each_job_has_one_version(
    stack: Live, client: MlflowClient, example: "Trained", first: Deployed, second: Deployed
) -> None:
    champion = str(client.get_model_version_by_alias(MODEL, ALIAS).version)
    other = served_models(stack.store, second.id)[MODEL]
    until(lambda: status(client, champion) == "deployed", "the watcher has seen what `make up` delivered", SECONDS)
    right = Right(stack.store, {champion: first.value, other: second.value})
    body, addresses = models.body(example.rows), []
    client.set_registered_model_alias(MODEL, ALIAS, other)
    try:
        until(
            lambda: status(client, other) == "deployed",
            f"{MODEL}/{other} is deployed",
            SECONDS,
            turn=lambda: addresses.append(submit(stack, body)),
        )
        until_unmixed(stack, **{MODEL: other})
        (node,) = workers(stack)
        assert stack.activation(node)["serving"] == stack.store.pointer() != first.id
        addresses.append(submit(stack, body))
        found = [answered(stack, address) for address in addresses]
        assert {deployment for deployment, _ in found} == {first.id, stack.store.pointer()}, "some before, some after"
        assert all(value == pytest.approx(right[deployment]) for deployment, value in found)
    finally:
        client.set_registered_model_alias(MODEL, ALIAS, champion)
        until_unmixed(stack, **{MODEL: champion})
        stack.until_idle()
        stack.playbook("deploy.yml", "-e", f"deployment={first.id}")


def test_the_fleet_follows_what_waits_and_loses_no_job(stack: Live, example: "Trained", first: Deployed) -> None:
    (node,) = workers(stack)
    body = models.body(example.rows)
    stack.shell(node, "systemctl", "kill", "--signal=STOP", UNITS.worker)  # as long as jobs that take minutes
    addresses = [submit(stack, body) for _ in range(WAITING)]
    until(lambda: len(in_service(stack)) == 2, lambda: f"what waits adds a node: {group(stack)}", SECONDS)
    stack.shell(node, "systemctl", "kill", "--signal=CONT", UNITS.worker)
    for address in addresses:
        assert is_by(first, *answered(stack, address))
    (other,) = [each for each in workers(stack) if each.id != node.id]
    assert '"succeeded"' in worked_on(stack, other)
    more: list[str] = []
    until(
        lambda: len(group(stack)["Instances"]) == 1 == len(in_service(stack)),
        lambda: f"when nothing waits a node goes: {group(stack)}",
        SECONDS,
        turn=lambda: more.append(submit(stack, body)),
    )
    assert all(is_by(first, *answered(stack, address)) for address in more)

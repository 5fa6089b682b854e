"""Nodes that go away under load: planned, unplanned, and by force."""

import time
from collections.abc import Iterator
from typing import TYPE_CHECKING

import boto3
import pytest

from localcloud.machine import group, init_of
from ops.nodes import Node
from tests.machines import models
from tests.machines.live import Live
from tests.machines.load import Load, Sample
from tests.machines.models import Deployed
from tests.waiting import until

if TYPE_CHECKING:
    from ops.example import Trained

# From the API's word that a target is out until nothing more is on its way to it: two turns of the balancer's.
SETTLED_SECONDS = 1.0


@pytest.fixture
def load(stack: Live, example: "Trained", first: Deployed) -> Iterator[Load]:
    stack.until_whole("serving")
    with Load(stack.url, models.body(example.rows), {first.id: first.value}) as running:
        until(lambda: running.deployments, "the first answer under load")
        yield running
    print(running)


@pytest.fixture
def node(stack: Live) -> Node:
    return stack.nodes("serving")[0]


def boot_id(stack: Live, node: Node) -> int | None:
    """Changes with every boot: the machine's first process."""
    return init_of(group(stack.state.checkout_id, node.id))


def reboot(stack: Live, node: Node) -> None:
    before = boot_id(stack, node)
    boto3.client("ec2").reboot_instances(InstanceIds=[node.id])
    until(lambda: boot_id(stack, node) not in (None, before), "another boot")


def resize(stack: Live, nodes: int) -> None:
    name = stack.group("serving")["AutoScalingGroupName"]
    boto3.client("autoscaling").set_desired_capacity(AutoScalingGroupName=name, DesiredCapacity=nodes)
    until(lambda: len(stack.whole("serving")) == nodes, f"the fleet is of {nodes}", 240)


def answers(stack: Live, node: Node) -> bool:
    curl = ("curl", "-sf", "-m", "2", "http://127.0.0.1:8080/readyz")
    return boot_id(stack, node) is not None and stack.shell(node, *curl, check=False).ok


def outside(failures: list[Sample], begin: float, end: float) -> list[Sample]:
    """Failures of requests that were neither in flight at `begin` nor sent before `end`."""
    return [each for each in failures if each.ended < begin or each.started > end]


def test_a_reboot_through_standby_costs_no_request(stack: Live, load: Load, node: Node, first: Deployed) -> None:
    stack.run("python3", "-m", "ops", "drain", node.id)
    try:
        assert stack.whole("serving") == {each.id for each in stack.nodes("serving")} - {node.id}
        reboot(stack, node)
        until(lambda: answers(stack, node), "it is ready again")
    finally:
        stack.run("python3", "-m", "ops", "undrain", node.id)
    assert node.id in stack.until_whole("serving"), "it was not replaced"
    assert stack.activation(node)["serving"] == first.id
    assert load.failures == [], load


@pytest.mark.long
def test_a_reboot_without_it_fails_only_while_the_balancer_does_not_know(stack: Live, load: Load, node: Node) -> None:
    begin = time.monotonic()
    reboot(stack, node)
    until(lambda: answers(stack, node) or stack.health("serving").get(node.id) != "healthy", "it is back or known lost")
    end = time.monotonic() + SETTLED_SECONDS
    stack.until_whole("serving")
    assert outside(load.failures, begin, end) == [], load


def test_a_node_that_is_taken_away_is_drained_first_and_costs_no_request(
    stack: Live, load: Load, first: Deployed
) -> None:
    """By hand: what a policy does is in test_stack_scaling.py."""
    resize(stack, 1)
    assert load.failures == [], load
    resize(stack, 2)
    assert stack.serving() == [first.id, first.id], "the new node serves the current deployment"
    assert load.failures == [], load


def test_a_killed_node_is_replaced_and_only_what_was_sent_to_it_fails(
    stack: Live, load: Load, node: Node, example: "Trained", first: Deployed
) -> None:
    threshold = 2 * (5 + 4)
    patient = Load(
        stack.url, models.body(example.rows), {first.id: first.value}, clients=2, retry_after_seconds=threshold
    )
    with patient:
        until(lambda: patient.deployments, "the first answer of a patient client")
        begin = time.monotonic()
        stack.kill(node)
        until(lambda: stack.health("serving").get(node.id) != "healthy", "the balancer knows")
        end = time.monotonic() + SETTLED_SECONDS
        members = stack.until_whole("serving", without=node.id)
    assert len(members) == 2
    assert outside(load.failures, begin, end) == [], load
    assert patient.failures == [], f"clients that retry once: {patient}"
    assert stack.serving() == [first.id, first.id], "the new node serves the current deployment"

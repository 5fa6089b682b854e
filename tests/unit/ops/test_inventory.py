"""The inventory groups nodes by role and says how each is reached; ssh is never told to trust an unknown key."""

from pathlib import Path

import pytest

from ops.errors import UserError
from ops.inventory import Access, build, ssh_arguments
from ops.nodes import Node


def node(role: str = "serving", instance_id: str = "i-1") -> Node:
    return Node(id=instance_id, role=role, state="running", address="10.0.0.9", zone="us-east-1a", group="fleet")


def access(proxy: str = "direct", key: Path | None = Path("/keys/id")) -> Access:
    return Access(stack="local", key=key, proxy=proxy, known_hosts=Path("/pins"))


def test_nodes_are_grouped_by_role_and_named_by_role_and_id() -> None:
    found = build([node(), node("tracking", "i-2")], access())
    assert found["serving"]["hosts"] == ["serving-i-1"]
    assert found["tracking"]["hosts"] == ["tracking-i-2"]
    assert found["_meta"]["hostvars"]["serving-i-1"]["ansible_host"] == "i-1", "an address may be another stack's too"


def test_worker_nodes_are_rolled_to_as_serving_ones_are_and_never_first() -> None:
    found = build([node(), node("serving", "i-3"), node("tracking", "i-2"), node("worker", "i-0")], access())
    assert found["serving"]["hosts"] == ["serving-i-1", "serving-i-3", "worker-i-0"]
    assert found["worker"]["hosts"] == ["worker-i-0"]
    assert found["_meta"]["hostvars"]["worker-i-0"]["slipway_role"] == "worker", "it has no balancer to leave"


def test_host_keys_are_checked_against_the_pins_of_that_instance_alone() -> None:
    arguments = ssh_arguments(node(), access())
    assert "StrictHostKeyChecking=yes" in arguments
    assert "UserKnownHostsFile=/pins/i-1" in arguments
    assert "HostKeyAlias=i-1" in arguments


def test_on_aws_a_node_is_reached_through_the_instance_connect_endpoint() -> None:
    arguments = ssh_arguments(node(), Access.from_environment({"SLIPWAY_STACK": "prod"}))
    assert "open-tunnel --instance-id i-1 --remote-port 22" in arguments


def test_a_proxy_of_the_environment_is_told_the_address() -> None:
    assert "ProxyCommand=tunnel ns 10.0.0.9 22" in ssh_arguments(node(), access("tunnel ns {address} 22"))


def test_inside_the_vpc_there_is_no_proxy() -> None:
    arguments = ssh_arguments(node(), access("direct"))
    assert "Proxy" not in arguments
    assert "HostName=10.0.0.9" in arguments


def test_without_a_stack_there_is_no_inventory() -> None:
    with pytest.raises(UserError, match="no stack is named"):
        Access.from_environment({})

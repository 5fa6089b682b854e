"""The machines of a stack, as the cloud's API has them, found by the tags that the program gave them."""

from dataclasses import dataclass
from typing import Any

import boto3

import contract

ALIVE = ["pending", "running", "stopping", "stopped"]
ROLLED = ("serving", "worker")
"""Roles of nodes with a model server. What is rolled out reaches them all, those behind the balancer first."""


@dataclass(frozen=True, kw_only=True)
class Node:
    """One EC2 instance of the stack. `group` is the Auto Scaling group that keeps it, if one does."""

    id: str
    role: str
    state: str
    address: str
    zone: str
    group: str | None

    @property
    def name(self) -> str:
        """What people and inventories call it: roles are few and ids are exact."""
        return f"{self.role}-{self.id}"


def nodes(stack: str, client: Any = None) -> list[Node]:
    """Every node of `stack` that is not terminated, in the order of role and id."""
    client = client or boto3.client("ec2")
    filters = [
        {"Name": f"tag:{contract.TAGS.stack}", "Values": [stack]},
        {"Name": "instance-state-name", "Values": ALIVE},
    ]
    pages = client.get_paginator("describe_instances").paginate(Filters=filters)
    found = [_node(entry) for page in pages for group in page["Reservations"] for entry in group["Instances"]]
    return sorted(found, key=lambda node: (node.role, node.id))


def _node(instance: dict[str, Any]) -> Node:
    tags = {tag["Key"]: tag["Value"] for tag in instance.get("Tags", [])}
    return Node(
        id=instance["InstanceId"],
        role=tags.get(contract.TAGS.role, "unknown"),
        state=instance["State"]["Name"],
        address=instance.get("PrivateIpAddress", ""),
        zone=instance["Placement"]["AvailabilityZone"],
        group=tags.get("aws:autoscaling:groupName"),
    )

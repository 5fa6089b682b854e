"""Pulumi after the stack has lived: nothing to do, and changes made as on AWS."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import boto3
import pytest

from contract import S3
from ops.environment import STACK
from tests.machines import models
from tests.machines.live import Live
from tests.machines.load import Load
from tests.machines.models import Deployed
from tests.waiting import until

if TYPE_CHECKING:
    from ops.example import Trained

RANGE = "10.20.240.0/20"  # within the network: SSH is admitted from nowhere else
NO_CHANGE = "--expect-no-changes"


def objects(stack: Live) -> dict[str, str]:
    """Every object of the bucket and what it holds; without logs and the watcher's memory, which nodes write."""
    pages = boto3.client("s3").get_paginator("list_objects_v2").paginate(Bucket=stack.outputs["bucket"])
    entries = [entry for page in pages for entry in page.get("Contents", [])]
    return {
        entry["Key"]: entry["ETag"]
        for entry in entries
        if not entry["Key"].startswith(S3.logs) and entry["Key"] != S3.followed
    }


def ssh_ranges() -> list[str]:
    rules = boto3.client("ec2").describe_security_group_rules()["SecurityGroupRules"]
    return [rule.get("CidrIpv4", "") for rule in rules if rule["FromPort"] == 22 and not rule["IsEgress"]]


@pytest.fixture
def settings(stack: Live) -> Iterator[None]:
    """Gives the settings file back as it was: a test may change it as a user does."""
    file = stack.checkout / f"Pulumi.{STACK}.yaml"
    kept = file.read_text()
    yield
    file.write_text(kept)


def test_after_deployments_have_moved_refresh_and_up_change_nothing(stack: Live) -> None:
    """A refresh notes the parameters' new values in Pulumi's own state, as on AWS; the cloud is left as it is."""
    before, pointer = objects(stack), stack.store.pointer()
    stack.pulumi("refresh", "--stack", STACK, "--yes", "--skip-preview")
    stack.up(NO_CHANGE)
    assert objects(stack) == before
    assert stack.store.pointer() == pointer


def test_another_instance_type_replaces_every_node_and_costs_no_request_and_security_rules_come_and_go(
    stack: Live, settings: None, example: "Trained", first: Deployed
) -> None:
    before = stack.until_whole("serving")
    assert RANGE not in ssh_ranges()
    stack.configure({"operatorCidrs[1]": RANGE, "fleet.instanceType": "t3.medium"})
    with Load(stack.url, models.body(example.rows), {first.id: first.value}) as load:
        until(lambda: load.deployments, "the first answer under load")
        stack.up()
        after = stack.until_whole("serving")
    assert not before & after
    found = boto3.client("ec2").describe_instances(InstanceIds=sorted(after))["Reservations"]
    assert {each["InstanceType"] for group in found for each in group["Instances"]} == {"t3.medium"}
    assert stack.serving() == [first.id, first.id], "new nodes boot into the current deployment"
    assert load.failures == [], load
    assert ssh_ranges().count(RANGE) == 2, "one for each kind of node"
    stack.pulumi("config", "rm", "--stack", STACK, "--path", "slipway:operatorCidrs[1]")
    stack.up()
    assert RANGE not in ssh_ranges()
    assert stack.until_whole("serving") == after, "which was no reason to replace a node"

"""A planned drain: the node leaves its Auto Scaling group's service for a while, and comes back.

Standby takes it out of the target group, and the balancer lets what is in flight finish. Failing the health check
instead would make the group replace the node.
"""

import time
from typing import Any

import boto3

from ops.errors import UserError

MINIMUM_POLL_SECONDS = 1.0
HELD = ["HealthCheck", "ReplaceUnhealthy"]


def drain(instance_id: str, timeout_seconds: float = 300) -> None:
    """Puts an instance into Standby and waits until no balancer sends to it. Again is fine.

    The desired capacity goes down by one meanwhile, so that nothing is launched in its place; a group already at its
    minimum refuses. Raises `UserError`.
    """
    client = boto3.client("autoscaling")
    group, state = _membership(client, instance_id)
    if state == "InService":
        client.enter_standby(AutoScalingGroupName=group, InstanceIds=[instance_id], ShouldDecrementDesiredCapacity=True)
    _await_state(client, instance_id, "Standby", timeout_seconds)
    for arn in _target_groups(client, group):
        boto3.client("elbv2").get_waiter("target_deregistered").wait(
            TargetGroupArn=arn, Targets=[{"Id": instance_id}], WaiterConfig=_every_second(timeout_seconds)
        )


def undrain(instance_id: str, timeout_seconds: float = 300) -> None:
    """Takes an instance out of Standby and waits until its balancers find it healthy. Again is fine."""
    client = boto3.client("autoscaling")
    group, state = _membership(client, instance_id)
    if state == "Standby":
        client.exit_standby(AutoScalingGroupName=group, InstanceIds=[instance_id])
    _await_state(client, instance_id, "InService", timeout_seconds)
    for arn in _target_groups(client, group):
        boto3.client("elbv2").get_waiter("target_in_service").wait(
            TargetGroupArn=arn, Targets=[{"Id": instance_id}], WaiterConfig=_every_second(timeout_seconds)
        )


def hold(instance_id: str) -> None:
    """Lets the group of an instance replace none of its members, for a reboot of one that has no other beside it."""
    client = boto3.client("autoscaling")
    group, _ = _membership(client, instance_id)
    client.suspend_processes(AutoScalingGroupName=group, ScalingProcesses=HELD)


def unhold(instance_id: str, timeout_seconds: float = 300) -> None:
    """Ends `hold`, once the instance's balancers find it healthy: not before, or the group would replace it now."""
    client = boto3.client("autoscaling")
    group, _ = _membership(client, instance_id)
    for arn in _target_groups(client, group):
        boto3.client("elbv2").get_waiter("target_in_service").wait(
            TargetGroupArn=arn, Targets=[{"Id": instance_id}], WaiterConfig=_every_second(timeout_seconds)
        )
    client.resume_processes(AutoScalingGroupName=group, ScalingProcesses=HELD)


def _membership(client: Any, instance_id: str) -> tuple[str, str]:
    """The Auto Scaling group of an instance and its lifecycle state there."""
    entries = client.describe_auto_scaling_instances(InstanceIds=[instance_id])["AutoScalingInstances"]
    if not entries:
        raise UserError(
            f"{instance_id} is in no Auto Scaling group", "`ansible-inventory --list` shows the nodes of the stack"
        )
    return entries[0]["AutoScalingGroupName"], entries[0]["LifecycleState"]


def _target_groups(client: Any, group: str) -> list[str]:
    found = client.describe_auto_scaling_groups(AutoScalingGroupNames=[group])["AutoScalingGroups"]
    return list(found[0]["TargetGroupARNs"])


def _await_state(client: Any, instance_id: str, wanted: str, timeout_seconds: float) -> None:
    """boto3 has no waiter for a lifecycle state."""
    deadline = time.monotonic() + timeout_seconds
    while (state := _membership(client, instance_id)[1]) != wanted:
        if time.monotonic() > deadline:
            raise UserError(
                f"{instance_id} is {state}, not {wanted}, after {timeout_seconds:g} s",
                "look at the group's scaling activities",
            )
        time.sleep(MINIMUM_POLL_SECONDS)


def _every_second(timeout_seconds: float) -> dict[str, int]:
    return {"Delay": 1, "MaxAttempts": int(timeout_seconds)}

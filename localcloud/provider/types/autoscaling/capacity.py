"""Waiting for a group's capacity, as the AWS provider counts it.

An instance counts when it is healthy and in service; for the balancer, when every target group of the group says that
it is healthy. At creation there must be at least as many as asked for, after a change of size exactly as many.
"""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from localcloud.provider.call import Call
from localcloud.provider.errors import WaitError
from localcloud.provider.resource import Args
from localcloud.provider.rules import seconds

DRAIN_SECONDS = 600


def find(call: Call, name: str) -> dict[str, Any] | None:
    answer = call.client("autoscaling").describe_auto_scaling_groups(AutoScalingGroupNames=[name])
    groups = answer["AutoScalingGroups"]
    return groups[0] if groups and groups[0].get("Status") != "Delete in progress" else None


def wait_created(call: Call, name: str, args: Args) -> None:
    wanted = args.get("desiredCapacity") or args["minSize"]
    behind = args.get("waitForElbCapacity") or args.get("minElbCapacity") or 0
    _wait(call, name, args, lambda have, healthy: have >= wanted and healthy >= behind, (wanted, behind), None)


def wait_updated(call: Call, name: str, args: Args) -> None:
    wanted = args.get("desiredCapacity") or args["minSize"]
    behind = args.get("waitForElbCapacity") or 0
    exact = args.get("desiredCapacity") is not None

    def satisfied(have: int, healthy: int) -> bool:
        return (have == wanted if exact else have >= wanted) and (not behind or healthy == behind)

    _wait(call, name, args, satisfied, (wanted, behind), datetime.now(UTC))


def _wait(  # noqa: PLR0917
    call: Call,
    name: str,
    args: Args,
    satisfied: Callable[[int, int], bool],
    wanted: tuple[int, int],
    since: datetime | None,
) -> None:
    limit = seconds(args["waitForCapacityTimeout"])
    if limit == 0:
        return

    def enough() -> bool | None:
        have, healthy = _count(call, name)
        balancer = f", {healthy} of {wanted[1]} healthy behind the balancer" if wanted[1] else ""
        call.progress(f"{have} of {wanted[0]} instances in service{balancer}")
        if satisfied(have, healthy):
            return True
        if not args.get("ignoreFailedScalingActivities"):
            _fail_with_the_reason(call, name, since)
        return None

    call.timeout_seconds = 0  # the group has a timeout of its own
    call.wait(enough, f"capacity of group {name}", limit)


def _count(call: Call, name: str) -> tuple[int, int]:
    group = find(call, name) or {}
    serving = [
        each["InstanceId"]
        for each in group.get("Instances") or []
        if each["HealthStatus"].lower() == "healthy" and each["LifecycleState"] == "InService"
    ]
    groups = group.get("TargetGroupARNs") or []
    if not groups or not serving:
        return len(serving), 0
    healthy = [_healthy(call, arn) for arn in groups]
    return len(serving), sum(all(each in group for group in healthy) for each in serving)


def _healthy(call: Call, arn: str) -> set[str]:
    answer = call.client("elbv2").describe_target_health(TargetGroupArn=arn)
    targets = answer["TargetHealthDescriptions"]
    return {each["Target"]["Id"] for each in targets if each["TargetHealth"]["State"] == "healthy"}


def _fail_with_the_reason(call: Call, name: str, since: datetime | None) -> None:
    """A scaling activity that failed (since then) is why waiting on is of no use."""
    activities = call.client("autoscaling").describe_scaling_activities(AutoScalingGroupName=name)["Activities"]
    for each in activities:
        if each.get("StatusCode") == "Failed" and (since is None or each["StartTime"] >= since):
            raise WaitError(f"scaling activity failed: {each.get('StatusMessage') or each.get('Description')}")


def wait_empty(call: Call, name: str) -> None:
    def left() -> list[str]:
        instances = [each["InstanceId"] for each in (find(call, name) or {}).get("Instances") or []]
        if instances:
            call.progress(f"{len(instances)} instances left")
        return instances

    call.wait_gone(left, "the group's instances", DRAIN_SECONDS)

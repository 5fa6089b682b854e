"""How many members, where the next one goes, and which one leaves."""

from collections import Counter
from datetime import timedelta
from typing import Any

from moto.autoscaling.models import ASG_NAME_TAG, InstanceState
from moto.core.exceptions import ServiceException

from localcloud.autoscaling import health
from localcloud.autoscaling.lifecycle import counts, suspended
from localcloud.gaps import instance_refresh, launches
from localcloud.gaps.autoscaling_activities import finish, record
from localcloud.gaps.autoscaling_members import joined, now, terminate

LONGEST_RETRY_SECONDS = 60


def step(backend: Any, group: Any) -> None:
    members = [state for state in group.instance_states if counts(state)]
    misplaced = (
        [] if suspended(group, "AZRebalance") else [s for s in members if s.instance.subnet_id not in subnets(group)]
    )
    wanted = int(group.desired_capacity)
    if misplaced and len(members) <= wanted:
        wanted += 1
    if len(members) < wanted:
        launch(group, wanted - len(members))
    elif len(members) > group.desired_capacity:
        settled = [state for state in members if state not in misplaced]
        if misplaced and not all(health.ready(backend, group, state, 0) for state in settled):
            return
        _scale_in(group, misplaced or members, len(members) - int(group.desired_capacity))


def _scale_in(group: Any, candidates: list[Any], count: int) -> None:
    if suspended(group, "Terminate"):
        return
    left = [state for state in candidates if not state.protected_from_scale_in]
    for _ in range(min(count, len(left))):
        chosen = first_out(group, left)
        left.remove(chosen)
        terminate(group, chosen, "was selected for termination, shrinking the capacity")


def subnets(group: Any) -> list[str]:
    return [subnet.strip() for subnet in (group.vpc_zone_identifier or "").split(",") if subnet.strip()]


def next_subnet(group: Any) -> str:
    """A subnet of the zone with the fewest members."""
    ec2 = group.ec2_backend
    taken = Counter(state.instance.placement.zone for state in group.instance_states if counts(state))
    used = Counter(state.instance.subnet_id for state in group.instance_states if counts(state))
    choices = [ec2.get_subnet(subnet_id) for subnet_id in subnets(group)]
    return str(min(choices, key=lambda subnet: (taken[subnet.availability_zone], used[subnet.id])).id)


def first_out(group: Any, candidates: list[Any]) -> Any:
    """By the termination policies; the default is: the fullest zone, then the oldest template, then the oldest."""
    policy = (group.termination_policies or ["Default"])[0]
    zones = Counter(state.instance.placement.zone for state in candidates)
    fullest = max(zones.values())
    choice = [state for state in candidates if zones[state.instance.placement.zone] == fullest]
    if policy == "NewestInstance":
        return max(choice, key=lambda state: state.since)
    if policy == "OldestInstance":
        return min(choice, key=lambda state: state.since)
    return min(choice, key=lambda state: (_version(state), state.since))


def _version(state: Any) -> int:
    return int((state.launched_with or {}).get("Version", 0))


def launch(group: Any, count: int, specification: dict[str, Any] | None = None) -> None:
    """`count` new members, of the group's own template unless a refresh names one.

    What EC2 refuses becomes a failed activity, and is tried again later and later.
    """
    retry_at = getattr(group, "retry_at", None)
    if suspended(group, "Launch") or group.status or (retry_at and now() < retry_at):
        return
    for _ in range(count):
        try:
            _launch_one(group, specification or instance_refresh.numbered(group))
            group.launch_failures = 0
        except ServiceException as error:
            _failed(group, error)
            return


def _failed(group: Any, error: ServiceException) -> None:
    group.launch_failures = getattr(group, "launch_failures", 0) + 1
    wait = min(2**group.launch_failures, LONGEST_RETRY_SECONDS)
    group.retry_at = now() + timedelta(seconds=wait)
    activity = record(group, "Launching a new EC2 instance.", "an instance was started to reach the desired capacity.")
    finish(activity, failure=f"{error.message} Launching EC2 instance failed. ({error.code})")


def _launch_one(group: Any, specification: dict[str, Any]) -> None:
    subnet_id = next_subnet(group)
    tags = {tag["Key"]: tag["Value"] for tag in group.tags if str(tag.get("PropagateAtLaunch")).lower() == "true"}
    tags[ASG_NAME_TAG] = group.name
    request = {
        "LaunchTemplate": {key: specification[key] for key in ("LaunchTemplateId", "Version")},
        "SubnetId": subnet_id,
        "MinCount": 1,
        "MaxCount": 1,
        "TagSpecifications": [
            {"ResourceType": "instance", "Tags": [{"Key": key, "Value": value} for key, value in tags.items()]}
        ],
    }
    instance = launches.launch(group.ec2_backend, request).instances[0]
    instance.autoscaling_group = group
    state = joined(
        InstanceState(instance, protected_from_scale_in=group.new_instances_protected_from_scale_in),
        "Pending",
        specification,
    )
    state.new = True
    state.activity = record(
        group,
        f"Launching a new EC2 instance: {instance.id}",
        "an instance was started in response to a difference between desired and actual capacity.",
        Subnet_ID=subnet_id,
        Availability_Zone=instance.placement.zone,
    )
    group.instance_states.append(state)

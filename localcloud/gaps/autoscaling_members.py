"""What one asks of single members of an Auto Scaling group: standby, detach, attach, terminate, health.

Moto does each within the call, with none of AWS's refusals. Here a call changes the lifecycle state, and the controller
drains the member, moves it on and keeps the capacity.
Fixed when moto refuses EnterStandby that would fall below the minimum size, and shows `EnteringStandby` meanwhile.
"""

from datetime import UTC, datetime, timedelta
from typing import Any

from moto.autoscaling.exceptions import ValidationError
from moto.autoscaling.models import ASG_NAME_TAG, AutoScalingBackend, InstanceState
from moto.autoscaling.responses import AutoScalingResponse
from moto.core.responses import EmptyResult

from localcloud.gaps.autoscaling_activities import Activity, record
from localcloud.gaps.patch import AnyFunction, replace


def now() -> datetime:
    return datetime.now(UTC)


def joined(state: Any, lifecycle: str, specification: dict[str, Any] | None) -> Any:
    """A member as the controller needs it: when it came, when it was first in service, with which template."""
    state.lifecycle_state = lifecycle
    state.launched_with = specification
    state.since = now()
    state.in_service_since = None
    state.activity = None
    state.health_reason = ""
    state.new = False
    return state


def _find(backend: Any, instance_id: str) -> Any:
    for group in backend.autoscaling_groups.values():
        for state in group.instance_states:
            if state.instance.id == instance_id:
                return state
    raise ValidationError(f"Instance Id not found - No managed instance found for instance ID: {instance_id}")


def _members(group: Any, instance_ids: list[str]) -> list[Any]:
    found = [state for state in group.instance_states if state.instance.id in instance_ids]
    missing = set(instance_ids) - {state.instance.id for state in found}
    if missing:
        raise ValidationError(
            f"The instance {', '.join(sorted(missing))} is not part of Auto Scaling group {group.name}."
        )
    return found


def _decrement(group: Any, count: int) -> None:
    if group.desired_capacity - count < group.min_size:
        raise ValidationError(
            f"AutoScalingGroup {group.name} has min-size={group.min_size}, max-size={group.max_size}, and "
            f"desired-size={group.desired_capacity}. To place into standby, detach or terminate {count} instances, "
            "lower the minimum size or do not decrement the desired capacity."
        )
    group.desired_capacity -= count


def _enter(
    _original: AnyFunction, self: Any, group_name: str, instance_ids: list[str], decrement: bool
) -> list[Activity]:
    group = self.autoscaling_groups[group_name]
    members = _members(group, instance_ids)
    for state in members:
        if state.lifecycle_state != "InService":
            raise ValidationError(f"The instance {state.instance.id} is not in InService.")
    if decrement:
        _decrement(group, len(members))
    for state in members:
        state.lifecycle_state = "EnteringStandby"
        state.activity = record(
            group,
            f"Moving EC2 instance to Standby: {state.instance.id}",
            f"instance {state.instance.id} was moved to standby in response to a user request.",
        )
    return [state.activity for state in members]


def _exit(_original: AnyFunction, self: Any, group_name: str, instance_ids: list[str]) -> list[Activity]:
    group = self.autoscaling_groups[group_name]
    members = _members(group, instance_ids)
    for state in members:
        if state.lifecycle_state != "Standby":
            raise ValidationError(f"The instance {state.instance.id} is not in Standby.")
    if group.desired_capacity + len(members) > group.max_size:
        raise ValidationError(
            f"AutoScalingGroup {group.name} has max-size={group.max_size}, too small for {len(members)} more."
        )
    group.desired_capacity += len(members)
    for state in members:
        joined(state, "Pending", state.launched_with)
        state.health_status = "Healthy"
        state.activity = record(
            group,
            f"Moving EC2 instance out of Standby: {state.instance.id}",
            f"instance {state.instance.id} was moved out of standby in response to a user request.",
        )
    return [state.activity for state in members]


def _detach(
    _original: AnyFunction, self: Any, group_name: str, instance_ids: list[str], decrement: bool
) -> list[Activity]:
    group = self.autoscaling_groups[group_name]
    members = _members(group, instance_ids)
    if decrement:
        _decrement(group, len(members))
    for state in members:
        state.lifecycle_state = "Detaching"
        state.activity = record(
            group,
            f"Detaching EC2 instance: {state.instance.id}",
            f"instance {state.instance.id} was detached in response to a user request.",
        )
    return [state.activity for state in members]


def _attach(_original: AnyFunction, self: Any, group_name: str, instance_ids: list[str]) -> None:
    group = self.autoscaling_groups[group_name]
    if group.desired_capacity + len(instance_ids) > group.max_size:
        raise ValidationError(
            f"AutoScalingGroup {group.name} has max-size={group.max_size}, too small for {len(instance_ids)} more."
        )
    for instance_id in instance_ids:
        instance = self.ec2_backend.get_instance(instance_id)
        if instance.state != "running":
            raise ValidationError(f"Invalid Instance ID(s) [{instance_id}]: not running.")
        instance.add_tags({ASG_NAME_TAG: group.name})
        group.instance_states.append(joined(InstanceState(instance, autoscaling_group=group), "Pending", None))
    group.desired_capacity += len(instance_ids)


def _terminate(_original: AnyFunction, self: Any, instance_id: str, decrement: bool) -> Activity:
    state = _find(self, instance_id)
    group = state.auto_scaling_group
    if decrement and state.lifecycle_state in ("InService", "Pending", "Pending:Wait"):
        _decrement(group, 1)
    return terminate(group, state, "was taken out of service in response to a user request")


def terminate(group: Any, state: Any, why: str) -> Activity:
    """The member leaves: from here on it does not count, and the controller drains and terminates it."""
    if not state.lifecycle_state.startswith("Terminating"):
        state.lifecycle_state = "Terminating"
        state.since = now()
        state.activity = record(
            group, f"Terminating EC2 instance: {state.instance.id}", f"instance {state.instance.id} {why}."
        )
    return state.activity  # type: ignore[no-any-return]


def in_grace(group: Any, state: Any) -> bool:
    if state.in_service_since is None:
        return True
    return bool(now() < state.in_service_since + timedelta(seconds=int(group.health_check_grace_period or 0)))


def _set_health(_original: AnyFunction, self: Any) -> Any:
    state = _find(self.autoscaling_backend, self._get_param("InstanceId"))
    wanted = self._get_param("HealthStatus")
    if wanted not in ("Healthy", "Unhealthy"):
        raise ValidationError("Valid instance health states are: [Healthy, Unhealthy]")
    respect = self._get_bool_param("ShouldRespectGracePeriod", True)
    if not (respect and wanted == "Unhealthy" and in_grace(state.auto_scaling_group, state)):
        state.health_status = wanted
        state.health_reason = "an instance was taken out of service in response to a user health-check"
    return EmptyResult()


def install() -> None:
    replace(AutoScalingBackend, "enter_standby_instances", _enter)
    replace(AutoScalingBackend, "exit_standby_instances", _exit)
    replace(AutoScalingBackend, "detach_instances", _detach)
    replace(AutoScalingBackend, "attach_instances", _attach)
    replace(AutoScalingBackend, "terminate_instance", _terminate)
    replace(AutoScalingResponse, "set_instance_health", _set_health)

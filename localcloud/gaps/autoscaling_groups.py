"""Auto Scaling groups as a wish: the API records it, and the autoscaling controller makes it true.

Moto launches and terminates within the call, all in the first subnet, and drops half of the attributes. Here every call
only changes what the group wants and the lifecycle state of its members, with AWS's refusals.
Fixed when moto's new group spreads its instances over its subnets and returns InstanceMaintenancePolicy.
"""

from typing import Any

from moto.autoscaling.exceptions import AutoscalingClientError, ValidationError
from moto.autoscaling.models import AutoScalingBackend, FakeAutoScalingGroup, InstanceState
from moto.autoscaling.responses import AutoScalingResponse
from moto.core.exceptions import ServiceException
from moto.core.responses import EmptyResult

from localcloud.gaps import launch_checks, launches
from localcloud.gaps.patch import AnyFunction, replace, replace_property

ATTRIBUTES = {
    "HealthCheckGracePeriod": "health_check_grace_period",
    "DefaultCooldown": "default_cooldown",
    "DefaultInstanceWarmup": "default_instance_warmup",
    "TerminationPolicies": "termination_policies",
    "CapacityRebalance": "capacity_rebalance",
    "MaxInstanceLifetime": "max_instance_lifetime",
    "PlacementGroup": "placement_group",
    "InstanceMaintenancePolicy": "instance_maintenance_policy",
    "ServiceLinkedRoleARN": "service_linked_role_arn",
    "Context": "context",
    "DesiredCapacityType": "desired_capacity_type",
}


def template_request(group: Any) -> dict[str, Any]:
    """The group's launch template as RunInstances takes it, with the version the group asks for."""
    return {
        "LaunchTemplate": {
            "LaunchTemplateId": group.ec2_launch_template.id,
            "Version": str(group.launch_template_version),
        }
    }


def _init(original: AnyFunction, self: Any, *args: Any, **kwargs: Any) -> None:
    self.activities, self.refreshes, self.status = [], [], None
    original(self, *args, **kwargs)


def _set_desired(_original: AnyFunction, self: Any, new_capacity: int | None) -> None:
    self.desired_capacity = self.min_size if new_capacity is None else new_capacity


def _check(group: Any) -> None:
    low, high, desired = group.min_size, group.max_size, group.desired_capacity
    if low > high:
        raise ValidationError(f"Max bound, {high}, must be greater than or equal to min bound, {low}")
    if not low <= desired <= high:
        raise ValidationError(
            f"Desired capacity:{desired} must be between the specified min size:{low} and max size:{high}"
        )
    if group.ec2_launch_template is None:
        return
    try:
        launch_checks.check(group.ec2_backend, launches.with_template(group.ec2_backend, template_request(group)))
    except ServiceException as error:
        raise ValidationError(f"You must use a valid fully-formed launch template. {error.message}") from None


def _check_target_groups(backend: Any, arns: list[str]) -> None:
    missing = [arn for arn in arns if arn not in backend.elbv2_backend.target_groups]
    if missing:
        raise ValidationError(f"Target groups '{', '.join(missing)}' not found")


def _create(original: AnyFunction, self: Any) -> Any:
    name, backend = self._get_param("AutoScalingGroupName"), self.autoscaling_backend
    if name in backend.autoscaling_groups:
        raise AutoscalingClientError(
            "AlreadyExists",
            f"AutoScalingGroup by this name already exists - A group with the name {name} already exists",
        )
    _check_target_groups(backend, self._get_param("TargetGroupARNs", []))
    result = original(self)
    group = backend.autoscaling_groups[name]
    group.health_check_grace_period = 0
    try:
        _check(group)
    except ServiceException:
        del backend.autoscaling_groups[name]
        raise
    _keep(self, group)
    return result


def _update(original: AnyFunction, self: Any) -> Any:
    group = _group(self)
    before = dict(group.__dict__)
    result = original(self)
    if self._get_int_param("DesiredCapacity") is None:
        group.desired_capacity = max(group.min_size, min(before["desired_capacity"], group.max_size))
    try:
        _check(group)
    except ServiceException:
        group.__dict__.update(before)
        raise
    _keep(self, group)
    return result


def _keep(response: Any, group: Any) -> None:
    for name, attribute in ATTRIBUTES.items():
        value = response._get_param(name)
        if name == "InstanceMaintenancePolicy" and value is not None:
            percentages = dict(value)
            value = None if -1 in percentages.values() else percentages
            setattr(group, attribute, value)
        elif value is not None:
            setattr(group, attribute, value)


def _group(response: Any) -> Any:
    name = response._get_param("AutoScalingGroupName")
    group = response.autoscaling_backend.autoscaling_groups.get(name)
    if group is None or group.status:
        raise ValidationError(f"AutoScalingGroup name not found - AutoScalingGroup '{name}' not found")
    return group


def _delete(original: AnyFunction, self: Any) -> Any:
    group = _group(self)
    if not group.instance_states:
        return original(self)
    if not self._get_bool_param("ForceDelete", False):
        raise AutoscalingClientError(
            "ResourceInUse",
            "You cannot delete an AutoScalingGroup while there are instances or pending activities in the group.",
        )
    group.status = "Delete in progress"
    group.min_size = group.desired_capacity = 0
    return EmptyResult()


def _set_desired_capacity(original: AnyFunction, self: Any) -> Any:
    group, wanted = _group(self), self._get_int_param("DesiredCapacity")
    if wanted > group.max_size:
        raise ValidationError(
            f"New SetDesiredCapacity value {wanted} is above max value {group.max_size} for the AutoScalingGroup."
        )
    if wanted < group.min_size:
        raise ValidationError(
            f"New SetDesiredCapacity value {wanted} is below min value {group.min_size} for the AutoScalingGroup."
        )
    return original(self)


def _attach_target_groups(original: AnyFunction, self: Any, group_name: str, arns: list[str]) -> None:
    _check_target_groups(self, arns)
    original(self, group_name, arns)


def _detach_target_groups(_original: AnyFunction, self: Any, group_name: str, arns: list[str]) -> None:
    group = self.autoscaling_groups[group_name]
    group.target_group_arns = [arn for arn in group.target_group_arns if arn not in arns]
    for arn in arns:
        if target_group := self.elbv2_backend.target_groups.get(arn):
            target_group.deregister_terminated_instances([state.instance.id for state in group.instance_states])


def _nothing(_original: AnyFunction, *_args: Any, **_kwargs: Any) -> None:
    """What the controller does in its own time."""


def _launched_with(_before: AnyFunction, self: Any) -> Any:
    return getattr(self, "launched_with", None)


def install() -> None:
    replace(FakeAutoScalingGroup, "__init__", _init)
    replace(FakeAutoScalingGroup, "set_desired_capacity", _set_desired)
    replace(FakeAutoScalingGroup, "replace_autoscaling_group_instances", _nothing)
    replace(AutoScalingBackend, "update_attached_target_groups", _nothing)
    replace(AutoScalingBackend, "notify_terminate_instances", _nothing)
    replace(AutoScalingBackend, "attach_load_balancer_target_groups", _attach_target_groups)
    replace(AutoScalingBackend, "detach_load_balancer_target_groups", _detach_target_groups)
    replace(AutoScalingResponse, "create_auto_scaling_group", _create)
    replace(AutoScalingResponse, "update_auto_scaling_group", _update)
    replace(AutoScalingResponse, "delete_auto_scaling_group", _delete)
    replace(AutoScalingResponse, "set_desired_capacity", _set_desired_capacity)
    replace_property(InstanceState, "launch_template", _launched_with)

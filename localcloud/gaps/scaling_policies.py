"""Target-tracking policies as AWS takes them: a group and a metric that exist, two alarms, and an end with both.

Moto takes any group and any label, keeps policies by their bare name, forgets `Enabled`, makes no alarms and leaves the
policies of a deleted group behind. What a policy does is the autoscaling controller's.
Fixed when moto refuses PutScalingPolicy for a group that does not exist.
"""

import uuid
from collections import deque
from typing import Any

from moto.autoscaling.exceptions import ValidationError
from moto.autoscaling.models import AutoScalingBackend, FakeScalingPolicy
from moto.autoscaling.responses import AutoScalingResponse
from moto.cloudwatch.models import cloudwatch_backends
from moto.core.responses import EmptyResult

from localcloud.gaps import metric_math
from localcloud.gaps.patch import AnyFunction, replace

TRACKING = "TargetTrackingScaling"
PER_TARGET = "ALBRequestCountPerTarget"
NAMESPACE, METRIC = "AWS/ApplicationELB", "RequestCountPerTarget"
HIGH_POINTS, LOW_POINTS, LOW_SHARE = 3, 15, 0.9
"""Of one minute each; scale-in begins a tenth below the target.
https://docs.aws.amazon.com/autoscaling/ec2/userguide/as-scaling-target-tracking.html"""


def aim(policy: Any) -> tuple[float, bool]:
    """The target value, and whether it scales in too."""
    given = vars(policy.target_tracking_configuration)
    return float(given["TargetValue"]), not given.get("DisableScaleIn")


def label_of(policy: Any) -> str:
    """Of what the balancer counts for it; empty for a policy with a metric of its own."""
    given = vars(policy.target_tracking_configuration)
    return str((given.get("PredefinedMetricSpecification") or {}).get("ResourceLabel") or "")


def queries_of(policy: Any) -> list[dict[str, Any]]:
    """Of a policy with a metric of its own."""
    given = vars(policy.target_tracking_configuration)
    return list((given.get("CustomizedMetricSpecification") or {}).get("Metrics") or [])


def labels_of(backend: Any, target_group: Any) -> set[str]:
    """The names of a target group before each balancer that forwards to it, as policies know it."""
    elb, own = backend.elbv2_backend, target_group.arn.rsplit(":", 1)[-1]
    actions = [
        (balancer, action)
        for balancer in elb.load_balancers.values()
        for listener in balancer.listeners.values()
        for rule in listener.rules.values()
        for action in rule.actions
    ]
    forwards = {
        balancer.arn
        for balancer, action in actions
        if target_group.arn in elb._get_target_group_arns_from(action_data=action.data)
    }
    return {f"{arn.split(':loadbalancer/')[-1]}/{own}" for arn in forwards}


def of(backend: Any, group: Any) -> list[Any]:
    """The target-tracking policies of a group that are in force."""
    found = [each for each in backend.policies.values() if each.auto_scaling_group_name == group.name]
    return [each for each in found if each.policy_type == TRACKING and each.enabled]


def _init(original: AnyFunction, self: Any, *args: Any, **kwargs: Any) -> None:
    original(self, *args, **kwargs)
    self.enabled, self.alarms = True, []
    self.points = deque(maxlen=LOW_POINTS)


def _put(original: AnyFunction, self: Any) -> Any:
    backend, name = self.autoscaling_backend, self._get_param("PolicyName")
    group = backend.autoscaling_groups.get(self._get_param("AutoScalingGroupName"))
    if group is None or group.status:
        raise ValidationError("Group not found - AutoScalingGroup name not found")
    if self._get_params().get("PolicyType") == TRACKING:
        _check(backend, group, self._get_params().get("TargetTrackingConfiguration") or {})
    before = backend.policies.get(name)
    result = original(self)
    result.result["PolicyARN"] = result.result["PolicyArn"]
    policy = backend.policies[name]
    policy.enabled = self._get_bool_param("Enabled", True)
    _forget_alarms(before)
    if policy.policy_type == TRACKING:
        policy.alarms = [_alarm(policy, way) for way in ("AlarmHigh", "AlarmLow")]
    result.result["Alarms"] = policy.alarms
    return result


def _check(backend: Any, group: Any, given: dict[str, Any]) -> None:
    metric = given.get("PredefinedMetricSpecification") or {}
    own = (given.get("CustomizedMetricSpecification") or {}).get("Metrics") or []
    if bool(metric) == bool(own):
        raise ValidationError("A target tracking configuration takes a predefined metric or metrics of its own")
    if problem := metric_math.problem(own) if own else "":
        raise ValidationError(f"Invalid metrics: {problem}")
    if metric.get("PredefinedMetricType") != PER_TARGET:
        return
    attached = [backend.elbv2_backend.target_groups.get(arn) for arn in group.target_group_arns]
    labels = {label for each in filter(None, attached) for label in labels_of(backend, each)}
    if metric.get("ResourceLabel") not in labels:
        raise ValidationError(
            f"The load balancer does not route traffic to the target group, or the group {group.name} is not attached "
            f"to it: ResourceLabel {metric.get('ResourceLabel')}"
        )


def _alarm(policy: Any, way: str) -> dict[str, str]:
    (target, _), own = aim(policy), metric_math.of_alarm(queries_of(policy))
    balancer, _, target_group = label_of(policy).partition("/targetgroup/")
    by_target = {"TargetGroup": f"targetgroup/{target_group}", "LoadBalancer": balancer}
    high, backend = way == "AlarmHigh", policy.autoscaling_backend
    name = f"TargetTracking-{policy.auto_scaling_group_name}-{way}-{uuid.uuid4()}"
    alarm = cloudwatch_backends[backend.account_id][backend.region_name].put_metric_alarm(
        name=name,
        namespace="" if own else NAMESPACE,
        metric_name="" if own else METRIC,
        metric_data_queries=own or None,
        comparison_operator="GreaterThanThreshold" if high else "LessThanThreshold",
        evaluation_periods=HIGH_POINTS if high else LOW_POINTS,
        period=60,
        threshold=target if high else target * LOW_SHARE,
        statistic="Sum",
        description="DO NOT EDIT OR DELETE. For TargetTrackingScaling policy.",
        dimensions=[] if own else [{"Name": name, "Value": value} for name, value in by_target.items()],
        alarm_actions=[policy.arn],
    )
    return {"AlarmName": name, "AlarmARN": alarm.alarm_arn}


def _forget_alarms(policy: Any) -> None:
    if policy is not None:
        backend = policy.autoscaling_backend
        known = cloudwatch_backends[backend.account_id][backend.region_name].alarms
        for alarm in policy.alarms:
            known.pop(alarm["AlarmName"], None)


def _delete(_original: AnyFunction, self: Any) -> Any:
    """By name or ARN."""
    wanted = self._get_param("PolicyName")
    known = self.autoscaling_backend.policies
    name = next((each.name for each in known.values() if wanted in (each.name, each.arn)), None)
    if name is None:
        raise ValidationError("No ScalingPolicy found for the given name and group")
    _forget_alarms(known.pop(name))
    return EmptyResult()


def _delete_group(original: AnyFunction, self: Any, *args: Any, **kwargs: Any) -> Any:
    result = original(self, *args, **kwargs)
    for name in [each.name for each in self.policies.values()]:
        if self.policies[name].auto_scaling_group_name not in self.autoscaling_groups:
            _forget_alarms(self.policies.pop(name))
    return result


def install() -> None:
    replace(FakeScalingPolicy, "__init__", _init)
    replace(AutoScalingResponse, "put_scaling_policy", _put)
    replace(AutoScalingResponse, "delete_policy", _delete)
    replace(AutoScalingBackend, "delete_auto_scaling_group", _delete_group)

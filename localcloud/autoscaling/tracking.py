"""Target tracking: how many members a group should have for each to get the target's share of what there is to do: of
the requests that the balancer has counted, or of the policy's own metric.

As AWS does it: out when three minutes in a row were above the target, in when fifteen were a tenth below, never past
the group's bounds, and in only while no member is warming up. A group that is being refreshed is left alone: its
members come and go for another reason.
https://docs.aws.amazon.com/autoscaling/ec2/userguide/as-scaling-target-tracking.html
"""

import math
from collections.abc import Sequence
from typing import Any

from moto.cloudwatch.models import cloudwatch_backends

from localcloud.autoscaling import health
from localcloud.autoscaling.lifecycle import counts, suspended
from localcloud.gaps import instance_refresh, metric_math, scaling_policies
from localcloud.gaps.autoscaling_activities import finish, record
from localcloud.gaps.scaling_policies import HIGH_POINTS, LOW_POINTS, LOW_SHARE
from localcloud.metrics import Meter


def above(points: Sequence[float], target: float) -> bool:
    return len(points) >= HIGH_POINTS and min(points[-HIGH_POINTS:]) > target


def below(points: Sequence[float], target: float) -> bool:
    return len(points) >= LOW_POINTS and max(points[-LOW_POINTS:]) < target * LOW_SHARE


def wanted(points: Sequence[float], target: float, warm: int, scale_in: bool) -> int | None:
    """How many members would bring the last minutes' requests to the target, of `warm` that shared them.

    None when nothing is to change. Out by the last minute; in by the busiest of those that count, so that what is left
    does not go out again at once.
    """
    if above(points, target):
        return math.ceil(max(warm, 1) * points[-1] / target)
    if scale_in and below(points, target):
        return math.ceil(warm * max(points[-LOW_POINTS:]) / target)
    return None


def step(backend: Any, group: Any, meter: Meter) -> None:
    """Once for each minute that has ended."""
    if group.status or instance_refresh.current(group) is not None:
        return
    for policy in scaling_policies.of(backend, group):
        target, scale_in = scaling_policies.aim(policy)
        points = _own(backend, group, policy) if scaling_policies.queries_of(policy) else _counted(policy, meter)
        _say(backend, policy, points, target)
        if points and not suspended(group, "AlarmNotification"):
            _follow(backend, group, policy, points, (target, scale_in))


def _counted(policy: Any, meter: Meter) -> list[float]:
    series = meter.series.get(scaling_policies.label_of(policy))
    return list(series.per_target) if series else []


def _own(backend: Any, group: Any, policy: Any) -> list[float]:
    """The minutes of the policy's own metric; none after one that is missing, which raises no alarm."""
    told = cloudwatch_backends[backend.account_id][backend.region_name].metric_data
    in_service = sum(state.lifecycle_state == "InService" for state in group.instance_states)
    value = metric_math.now(scaling_policies.queries_of(policy), told, group, in_service)
    if value is None:
        policy.points.clear()
    else:
        policy.points.append(value)
    return list(policy.points)


def _follow(backend: Any, group: Any, policy: Any, points: Sequence[float], aim: tuple[float, bool]) -> None:
    members = [state for state in group.instance_states if counts(state)]
    warmup = max(int(getattr(group, "default_instance_warmup", None) or 0), 0)
    warm = [state for state in members if health.ready(backend, group, state, warmup)]
    number = wanted(points, aim[0], len(warm), aim[1])
    if number is None:
        return
    now = int(group.desired_capacity)
    number = max(group.min_size, min(number, group.max_size))
    if number < now and len(warm) < len(members):
        return
    if number != now:
        _change(group, policy, now, number)


def _change(group: Any, policy: Any, now: int, number: int) -> None:
    group.desired_capacity = number
    alarm = policy.alarms[0 if number > now else 1]["AlarmName"]
    cause = (
        f"a monitor alarm {alarm} in state ALARM triggered policy {policy.name} changing the desired capacity "
        f"from {now} to {number}."
    )
    finish(record(group, f"Changing the desired capacity from {now} to {number}", cause))


def _say(backend: Any, policy: Any, points: Sequence[float], target: float) -> None:
    """The state of the policy's two alarms."""
    known = cloudwatch_backends[backend.account_id][backend.region_name].alarms
    for entry, raised in zip(policy.alarms, (above(points, target), below(points, target)), strict=True):
        alarm, state = known.get(entry["AlarmName"]), "ALARM" if raised else "OK"
        if alarm is not None and alarm.state_value != state:
            shown = ", ".join(f"{point:.0f}" for point in points[-HIGH_POINTS:])
            alarm.update_state(f"the last minutes: {shown}; threshold {alarm.threshold:g}", "{}", state)

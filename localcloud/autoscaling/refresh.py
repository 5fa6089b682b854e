"""Instance refresh, one turn at a time: new members come until the maximum, old ones leave down to the minimum.

https://docs.aws.amazon.com/autoscaling/ec2/userguide/instance-refresh-overview.html
One member of the new kind that fails its health check fails the refresh. AWS tries for an hour first.
"""

import math
from typing import Any

from localcloud.autoscaling import capacity, health
from localcloud.autoscaling.lifecycle import counts
from localcloud.gaps.autoscaling_members import terminate
from localcloud.gaps.instance_refresh import Refresh, apply, current

LAUNCH_FAILURES = 3


def step(backend: Any, group: Any) -> bool:
    """True while a refresh decides about the group's capacity."""
    refresh = current(group)
    if refresh is None or group.status:
        return False
    if refresh.status == "Pending":
        refresh.status = "InProgress"
        refresh.to_update = len([state for state in group.instance_states if _old(refresh, state)])
    if refresh.status == "Cancelling":
        refresh.end("Cancelled")
        return False
    if getattr(group, "launch_failures", 0) >= LAUNCH_FAILURES:
        _fail(refresh, "Instances of the new configuration cannot be launched: see the scaling activities.")
    _replace(backend, group, refresh)
    return refresh.running


def failed(group: Any, state: Any) -> None:
    """A member is unhealthy: when it is of the new kind, the refresh has failed with it."""
    refresh = current(group)
    if refresh and refresh.status != "Pending" and not _old(refresh, state) and state.since >= refresh.started:
        _fail(refresh, f"The replacement instance {state.instance.id} {state.health_reason}.")


def _fail(refresh: Refresh, reason: str) -> None:
    refresh.group.launch_failures = 0
    if refresh.status == "RollbackInProgress":
        refresh.end("RollbackFailed", reason)
    elif refresh.preferences["AutoRollback"]:
        refresh.status, refresh.reason = "RollbackInProgress", reason
        apply(refresh.group, refresh.source)
    else:
        refresh.end("Failed", reason)


def _goal(refresh: Refresh) -> dict[str, Any]:
    return refresh.source if refresh.status == "RollbackInProgress" else refresh.target


def _old(refresh: Refresh, state: Any) -> bool:
    goal, has = _goal(refresh), state.launched_with or {}
    if (has.get("LaunchTemplateId"), has.get("Version")) != (goal["LaunchTemplateId"], goal["Version"]):
        return True
    if refresh.status == "RollbackInProgress" or refresh.preferences["SkipMatching"]:
        return False
    return bool(state.since < refresh.started)


def _bounds(refresh: Refresh, desired: int) -> tuple[int, int]:
    """Fewest ready and most existing members. When the two leave no room at all, one at a time leaves first."""
    low = math.ceil(desired * int(refresh.preferences["MinHealthyPercentage"]) / 100)
    high = math.floor(desired * int(refresh.preferences["MaxHealthyPercentage"]) / 100)
    return (desired - 1 if low >= desired and high <= desired else low), max(high, desired)


def _replace(backend: Any, group: Any, refresh: Refresh) -> None:
    desired = int(group.desired_capacity)
    members = [state for state in group.instance_states if counts(state)]
    old = [state for state in members if _old(refresh, state)]
    new = [state for state in members if state not in old]
    warmup = int(refresh.preferences["InstanceWarmup"])
    ready = [state for state in members if health.ready(backend, group, state, 0 if state in old else warmup)]
    fresh = [state for state in ready if state in new]
    _progress(refresh, len(fresh))
    staying = [state for state in group.instance_states if state.lifecycle_state != "Terminating"]
    if len(fresh) >= desired and not any(_old(refresh, state) for state in staying):
        _succeed(group, refresh)
        return
    low, high = _bounds(refresh, desired)
    if missing := min(desired - len(new), high - len(members)):
        capacity.launch(group, max(missing, 0), _goal(refresh))
    spare = len(ready) - low
    for state in sorted(old, key=lambda state: (state in ready, state.since)):
        if state.protected_from_scale_in or (state in ready and spare <= 0):
            continue
        spare -= state in ready
        terminate(group, state, "was taken out of service in response to an instance refresh")


def _progress(refresh: Refresh, fresh: int) -> None:
    done = 100 if not refresh.to_update else min(100, 100 * fresh // refresh.to_update)
    refresh.percentage = max(refresh.percentage, done)


def _succeed(group: Any, refresh: Refresh) -> None:
    refresh.percentage = 100
    if refresh.desired:
        apply(group, _goal(refresh))
    refresh.end("RollbackSuccessful" if refresh.status == "RollbackInProgress" else "Successful")

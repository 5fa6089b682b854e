"""Launch hooks of Auto Scaling groups: a member stays out of service until somebody says that it may go on.

Moto records hooks, and asks nobody: it has no CompleteLifecycleAction, and leaves the hooks of a deleted group behind.
What a waiting launch becomes is the controller's. Hooks on termination are recorded only: nothing here uses one.
Fixed when `complete_lifecycle_action` of an unknown hook answers a ValidationError.
"""

from datetime import timedelta
from typing import Any

from moto.autoscaling.exceptions import ValidationError
from moto.autoscaling.models import AutoScalingBackend
from moto.autoscaling.responses import AutoScalingResponse
from moto.core.responses import EmptyResult

from localcloud.gaps.autoscaling_members import now
from localcloud.gaps.patch import AnyFunction, add, replace

LAUNCHING = "autoscaling:EC2_INSTANCE_LAUNCHING"
WAITING = "Pending:Wait"
RESULTS = ("CONTINUE", "ABANDON")


def of_launch(backend: Any, group: Any) -> Any:
    """The hook that holds launches of a group; None without one. AWS takes several, of which the program uses one."""
    found = backend.describe_lifecycle_hooks(group.name)
    return next((hook for hook in found if hook.lifecycle_transition == LAUNCHING), None)


def hold(state: Any, hook: Any) -> None:
    """The member waits from now on."""
    state.lifecycle_state, state.said = WAITING, None
    state.waits_until = now() + timedelta(seconds=int(hook.heartbeat_timeout))
    state.otherwise = hook.default_result


def outcome(state: Any) -> str | None:
    """What was said of a member that waits, or is taken for said when nothing was in time; None while it waits."""
    if state.said is None and now() >= state.waits_until:
        return str(state.otherwise)
    return state.said  # type: ignore[no-any-return]


def complete_lifecycle_action(self: Any) -> Any:
    """By the id of the instance, as nodes do it: of tokens, which notifications carry, there are none here."""
    backend = self.autoscaling_backend
    name, group = self._get_param("LifecycleHookName"), self._get_param("AutoScalingGroupName")
    if not backend.describe_lifecycle_hooks(group, [name]):
        raise ValidationError(f"No such lifecycle hook: {name} of group {group}")
    result, instance = self._get_param("LifecycleActionResult"), self._get_param("InstanceId")
    if result not in RESULTS:
        raise ValidationError(f"LifecycleActionResult must be one of {', '.join(RESULTS)}")
    members = backend.autoscaling_groups[group].instance_states if group in backend.autoscaling_groups else []
    waiting = [each for each in members if each.instance.id == instance and each.lifecycle_state == WAITING]
    if not waiting:
        raise ValidationError(f"No active Lifecycle Action found with instance ID {instance}")
    waiting[0].said = result
    return EmptyResult()


def _delete_group(original: AnyFunction, self: Any, *args: Any, **kwargs: Any) -> Any:
    result = original(self, *args, **kwargs)
    for key, hook in list(self.lifecycle_hooks.items()):
        if hook.auto_scaling_group_name not in self.autoscaling_groups:
            del self.lifecycle_hooks[key]
    return result


def install() -> None:
    add(AutoScalingResponse, complete_lifecycle_action)
    replace(AutoScalingBackend, "delete_auto_scaling_group", _delete_group)

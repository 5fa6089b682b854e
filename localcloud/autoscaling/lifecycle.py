"""How a member moves: pending, in service, standby, and out, each time drained from its target groups first. Where the
group has a launch hook, a new one waits for its word before it is in service.
"""

from typing import Any

from moto.autoscaling.models import ASG_NAME_TAG

from localcloud.gaps import lifecycle_hooks, target_health
from localcloud.gaps.autoscaling_activities import finish
from localcloud.gaps.autoscaling_members import now, terminate

GONE = ("shutting-down", "terminated")


def counts(state: Any) -> bool:
    """Whether it fills a place of the desired capacity."""
    return state.lifecycle_state in ("Pending", lifecycle_hooks.WAITING, "InService")


def suspended(group: Any, process: str) -> bool:
    return any(entry["ProcessName"] == process for entry in group.suspended_processes)


def target_groups(backend: Any, group: Any) -> list[Any]:
    known = backend.elbv2_backend.target_groups
    return [known[arn] for arn in group.target_group_arns if arn in known]


def step(backend: Any, group: Any) -> None:
    for state in list(group.instance_states):
        if state.lifecycle_state in ("Pending", lifecycle_hooks.WAITING):
            _pending(backend, group, state)
        elif state.lifecycle_state == "EnteringStandby" and _drained(backend, group, state):
            state.lifecycle_state = "Standby"
            finish(state.activity)
        elif state.lifecycle_state == "Detaching" and _drained(backend, group, state):
            _leave(group, state)
            state.instance.ec2_backend.delete_tags([state.instance.id], {ASG_NAME_TAG: group.name})
        elif state.lifecycle_state == "Terminating":
            _terminating(backend, group, state)


def _pending(backend: Any, group: Any, state: Any) -> None:
    if state.instance.state == "running":
        _launched(backend, group, state)
    elif state.instance.state != "pending":
        reason = state.instance.state_reason
        finish(state.activity, failure=(reason and reason.message) or f"Instance became {state.instance.state}.")
        terminate(group, state, f"became {state.instance.state} while it was being launched")


def _launched(backend: Any, group: Any, state: Any) -> None:
    """Only a launch is held: who returns from standby has said its word before."""
    said: str | None = "CONTINUE"
    if state.lifecycle_state == lifecycle_hooks.WAITING:
        said = lifecycle_hooks.outcome(state)
    elif state.new and (hook := lifecycle_hooks.of_launch(backend, group)):
        lifecycle_hooks.hold(state, hook)
        return
    if said == "CONTINUE":
        state.lifecycle_state, state.in_service_since, state.new = "InService", now(), False
        finish(state.activity)
    elif said == "ABANDON":
        finish(state.activity, failure=f"Lifecycle action of {state.instance.id} was abandoned.")
        terminate(group, state, "was abandoned while it was being launched")


def _terminating(backend: Any, group: Any, state: Any) -> None:
    instance = state.instance
    if instance.state == "terminated":
        _leave(group, state)
    elif instance.state not in GONE and (
        group.status or instance.state != "running" or _drained(backend, group, state)
    ):
        instance.terminate()
        backend.elbv2_backend.notify_terminate_instances([instance.id])
        if instance.state_reason:
            instance.state_reason.message = "Client.UserInitiatedShutdown: terminated by Auto Scaling"


def _leave(group: Any, state: Any) -> None:
    group.instance_states.remove(state)
    finish(state.activity)


def _drained(backend: Any, group: Any, state: Any) -> bool:
    """Takes the member out of its target groups; true once no request may be on its way to it."""
    instance_id = state.instance.id
    done = True
    for target_group in target_groups(backend, group):
        if instance_id in target_group.targets:
            target_group.deregister([{"Id": instance_id}])
        done = done and not any(key[0] == instance_id for key in target_health.draining(target_group))
    if not done and state.activity and state.activity["StatusCode"] == "InProgress":
        state.activity["StatusCode"] = "WaitingForELBConnectionDraining"
    return done


def register(backend: Any, group: Any) -> None:
    """Members in service are targets of all the group's target groups."""
    if suspended(group, "AddToLoadBalancer"):
        return
    for target_group in target_groups(backend, group):
        for state in group.instance_states:
            fit = state.lifecycle_state == "InService" and state.instance.state == "running"
            if fit and state.instance.id not in target_group.targets:
                target_group.register([{"Id": state.instance.id}])

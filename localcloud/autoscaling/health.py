"""Which members are unhealthy, by EC2, by the load balancer after the grace period, or because somebody said so."""

from datetime import timedelta
from typing import Any

from localcloud.autoscaling.lifecycle import suspended, target_groups
from localcloud.gaps import target_health
from localcloud.gaps.autoscaling_members import in_grace, now

EC2_REASON = "was taken out of service in response to an EC2 health check indicating it has been terminated or stopped"
ELB_REASON = "was taken out of service in response to an ELB system health check failure"


def unhealthy(backend: Any, group: Any) -> list[Any]:
    """Members to replace, each with its `health_reason`."""
    if suspended(group, "HealthCheck"):
        return []
    members = [state for state in group.instance_states if state.lifecycle_state == "InService"]
    for state in members:
        if state.instance.state not in ("pending", "running"):
            state.health_status, state.health_reason = "Unhealthy", EC2_REASON
        elif _failed_by_balancer(backend, group, state):
            state.health_status, state.health_reason = "Unhealthy", ELB_REASON
    if suspended(group, "ReplaceUnhealthy"):
        return []
    return [state for state in members if state.health_status == "Unhealthy"]


def _failed_by_balancer(backend: Any, group: Any, state: Any) -> bool:
    asked = "ELB" in group.health_check_type and not in_grace(group, state)
    return asked and "unhealthy" in target_states(backend, group, state)


def target_states(backend: Any, group: Any, state: Any) -> set[str]:
    """What its target groups say of a member, those only that some listener forwards to."""
    states = set()
    for target_group in target_groups(backend, group):
        if target_health.in_use(target_group):
            key = (state.instance.id, int(target_group.port))
            states.add(target_health.state_of(target_group, key, forwarding=True)[0])
    return states


def ready(backend: Any, group: Any, state: Any, warmup_seconds: int) -> bool:
    """In service, healthy to every check that counts, and warm: what lets another member go."""
    if state.lifecycle_state != "InService" or state.health_status != "Healthy" or state.instance.state != "running":
        return False
    if now() < state.in_service_since + timedelta(seconds=warmup_seconds):
        return False
    return target_states(backend, group, state) <= {"healthy"}

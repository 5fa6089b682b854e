"""Targets whose health is what somebody measured, and that drain before they are gone.

Moto knows `healthy` and `unused` only, takes any target id, and forgets a deregistered target at once. Here a target is
`initial` until its health is set, `unused` (Target.NotInUse) while no listener forwards to its group, and `draining`
for the deregistration delay.
Fixed when moto answers `initial` for a fresh target and refuses to register an instance that does not exist.
"""

from datetime import UTC, datetime, timedelta
from typing import Any

from moto.elbv2.exceptions import ELBClientError, TargetGroupNotFoundError
from moto.elbv2.models import ELBv2Backend, FakeHealthStatus, FakeTargetGroup

from localcloud.gaps.patch import AnyFunction, replace

Target = dict[str, Any]
Key = tuple[str, int]

_IN_USE_STATES = {"healthy", "unhealthy", "initial", "unavailable"}
_DESCRIPTIONS = {
    "Elb.RegistrationInProgress": "Target registration is in progress",
    "Elb.InitialHealthChecking": "Initial health checks in progress",
    "Target.NotInUse": "Target group is not configured to receive traffic from the load balancer",
    "Target.InvalidState": "Target is in the stopped state",
    "Target.NotRegistered": "Target is not registered to the target group",
    "Target.DeregistrationInProgress": "Target deregistration is in progress",
    "Target.FailedHealthChecks": "Health checks failed",
    "Target.ResponseCodeMismatch": "Health checks failed with these codes",
    "Target.Timeout": "Request timed out",
}


def key_of(group: Any, target: Target) -> Key:
    return target["Id"], int(target.get("Port") or group.port)


def draining(group: Any) -> dict[Key, datetime]:
    """Deregistered targets that may still have requests in flight, and until when. What is over is forgotten."""
    now = datetime.now(UTC)
    group.draining = {key: until for key, until in group.draining.items() if until > now}
    return group.draining  # type: ignore[no-any-return]


def set_health(group: Any, key: Key, state: str, reason: str = "") -> None:
    """What a health check found. `reason` is an ELB reason code, or a sentence."""
    group.health[key] = (state, reason)


def _init(original: AnyFunction, self: Any, *args: Any, **kwargs: Any) -> None:
    original(self, *args, **kwargs)
    self.health = {}
    self.draining = {}


def _register(_original: AnyFunction, self: Any, targets: list[Target]) -> None:
    for target in targets:
        if self.target_type == "instance":
            _check_instance(self, target["Id"])
    for target in targets:
        key = key_of(self, target)
        if target["Id"] not in self.targets or self.targets[target["Id"]]["Port"] != key[1]:
            self.health.pop(key, None)
        self.targets[target["Id"]] = {"Id": target["Id"], "Port": key[1]}
        self.draining.pop(key, None)


def _check_instance(group: Any, instance_id: str) -> None:
    instance = group.ec2_backend.get_instance_by_id(instance_id)
    if instance is None or instance.state == "terminated":
        raise ELBClientError(
            "InvalidTarget", f"The following targets are not in the target group VPC, or do not exist: '{instance_id}'"
        )
    if instance.vpc_id != group.vpc_id:
        raise ELBClientError(
            "InvalidTarget", f"The following targets are not in the target group VPC '{group.vpc_id}': '{instance_id}'"
        )
    if instance.state != "running":
        raise ELBClientError(
            "InvalidTarget",
            f"The following targets are not in a running state and cannot be registered: '{instance_id}'",
        )


def _deregister(_original: AnyFunction, self: Any, targets: list[Target]) -> None:
    for target in targets:
        if target["Id"] not in self.targets:
            raise ELBClientError("InvalidTarget", f"The following targets are not registered: '{target['Id']}'")
        _drain(self, target["Id"])


def _drain(group: Any, target_id: str) -> None:
    target = group.targets.pop(target_id)
    key = key_of(group, target)
    group.health.pop(key, None)
    delay = int(group.attributes["deregistration_delay.timeout_seconds"])
    if delay and in_use(group):
        group.draining[key] = datetime.now(UTC) + timedelta(seconds=delay)


def _terminated(_original: AnyFunction, self: Any, instance_ids: list[str]) -> None:
    for target_id in [target_id for target_id in self.targets if target_id in instance_ids]:
        _drain(self, target_id)


def in_use(group: Any) -> bool:
    from moto.elbv2.models import elbv2_backends

    return bool(elbv2_backends[group.account_id][group.region_name]._any_listener_using(group.arn))


def state_of(group: Any, key: Key, forwarding: bool) -> tuple[str, str]:
    """State and reason code of one target, registered or not."""
    if key[0] not in group.targets or group.targets[key[0]]["Port"] != key[1]:
        if key in draining(group):
            return "draining", "Target.DeregistrationInProgress"
        return "unused", "Target.NotRegistered"
    if not forwarding:
        return "unused", "Target.NotInUse"
    instance = group.ec2_backend.get_instance_by_id(key[0]) if key[0].startswith("i-") else None
    if instance is not None and instance.state in ("stopping", "stopped"):
        return "unused", "Target.InvalidState"
    state, reason = group.health.get(key, ("initial", "Elb.RegistrationInProgress"))
    return (state, reason) if state in _IN_USE_STATES else ("initial", "Elb.InitialHealthChecking")


def _describe(_original: AnyFunction, self: Any, target_group_arn: str, targets: list[Target]) -> list[Any]:
    group = self.target_groups.get(target_group_arn)
    if group is None:
        raise TargetGroupNotFoundError()
    forwarding = in_use(group)
    keys = [key_of(group, target) for target in targets] or [
        *(key_of(group, target) for target in group.targets.values()),
        *draining(group),
    ]
    return [_status(group, key, *state_of(group, key, forwarding)) for key in keys]


def _status(group: Any, key: Key, state: str, reason: str) -> Any:
    code, description = (reason, _DESCRIPTIONS.get(reason)) if "." in reason and " " not in reason else (None, reason)
    if state == "healthy":
        code, description = None, None
    elif state == "unhealthy" and code is None:
        code = "Target.FailedHealthChecks"
    return FakeHealthStatus(key[0], str(key[1]), group.health_check_port, state, code, description or None)


def install() -> None:
    replace(FakeTargetGroup, "__init__", _init)
    replace(FakeTargetGroup, "register", _register)
    replace(FakeTargetGroup, "deregister", _deregister)
    replace(FakeTargetGroup, "deregister_terminated_instances", _terminated)
    replace(ELBv2Backend, "describe_target_health", _describe)

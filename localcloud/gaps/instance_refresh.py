"""Instance refresh: the API of it. The controller in localcloud/autoscaling replaces the machines.

Moto has none of StartInstanceRefresh, DescribeInstanceRefreshes, CancelInstanceRefresh and RollbackInstanceRefresh.
Fixed when `start_instance_refresh` answers an id.
"""

import uuid
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from moto.autoscaling.exceptions import AutoscalingClientError, ValidationError
from moto.autoscaling.responses import AutoScalingResponse
from moto.core.exceptions import ServiceException
from moto.core.responses import ActionResult

from localcloud.gaps.launch_templates import resolve
from localcloud.gaps.patch import add

RUNNING = {"Pending", "InProgress", "Cancelling", "RollbackInProgress"}
DEFAULTS = {"MinHealthyPercentage": 90, "MaxHealthyPercentage": 100, "AutoRollback": False, "SkipMatching": False}

Specification = dict[str, Any]


@dataclass
class Refresh:
    """`source` is what a rollback returns to, `started` decides which members are old when nothing else changed."""

    group: Any
    target: Specification
    source: Specification
    preferences: dict[str, Any]
    desired: Specification | None
    id: str = field(default_factory=lambda: str(uuid.uuid4()))
    status: str = "Pending"
    reason: str = ""
    started: datetime = field(default_factory=lambda: datetime.now(UTC))
    ended: datetime | None = None
    percentage: int = 0
    to_update: int = 0

    @property
    def running(self) -> bool:
        return self.status in RUNNING

    def end(self, status: str, reason: str = "") -> None:
        self.status, self.reason, self.ended = status, reason or self.reason, datetime.now(UTC)

    def describe(self) -> dict[str, Any]:
        answer: dict[str, Any] = {
            "InstanceRefreshId": self.id,
            "AutoScalingGroupName": self.group.name,
            "Status": self.status,
            "StatusReason": self.reason or None,
            "StartTime": self.started,
            "EndTime": self.ended,
            "PercentageComplete": self.percentage,
            "InstancesToUpdate": self.to_update,
            "Preferences": self.preferences,
            "Strategy": "Rolling",
        }
        if self.desired:
            answer["DesiredConfiguration"] = {"LaunchTemplate": self.desired}
        return {key: value for key, value in answer.items() if value is not None}


def numbered(group: Any, specification: Specification | None = None) -> Specification:
    """A template specification with its version as a number, whatever it was asked for as."""
    asked = specification or {
        "LaunchTemplateId": group.ec2_launch_template.id,
        "Version": group.launch_template_version,
    }
    version = resolve(group.ec2_backend, asked)
    return {
        "LaunchTemplateId": version.template.id,
        "LaunchTemplateName": version.template.name,
        "Version": str(version.number),
    }


def apply(group: Any, specification: Specification) -> None:
    """The template that the group launches from now on."""
    group._set_launch_configuration(
        "", {"LaunchTemplateId": specification["LaunchTemplateId"], "Version": specification["Version"]}, None
    )


def current(group: Any) -> Refresh | None:
    return next((refresh for refresh in group.refreshes if refresh.running), None)


def _group(response: Any) -> Any:
    name = response._get_param("AutoScalingGroupName")
    group = response.autoscaling_backend.autoscaling_groups.get(name)
    if group is None:
        raise ValidationError(f"AutoScalingGroup name not found - AutoScalingGroup '{name}' not found")
    return group


def start_instance_refresh(self: Any) -> Any:
    group = _group(self)
    if current(group):
        raise AutoscalingClientError(
            "InstanceRefreshInProgress",
            "An Instance Refresh is already in progress and blocks the execution of this Instance Refresh.",
        )
    preferences = DEFAULTS | dict(self._get_param("Preferences", {}) or {})
    preferences.setdefault(
        "InstanceWarmup", getattr(group, "default_instance_warmup", None) or group.health_check_grace_period or 0
    )
    _check(preferences)
    wanted = self._get_param("DesiredConfiguration.LaunchTemplate")
    wanted = dict(wanted) if wanted else None
    if preferences["AutoRollback"]:
        _check_rollback(group, wanted)
    try:
        source, target = numbered(group), numbered(group, wanted)
    except ServiceException as error:
        raise ValidationError(f"You must use a valid fully-formed launch template. {error.message}") from None
    refresh = Refresh(group, target, source, preferences, wanted)
    group.refreshes.insert(0, refresh)
    return ActionResult({"InstanceRefreshId": refresh.id})


def _check(preferences: dict[str, Any]) -> None:
    low, high = int(preferences["MinHealthyPercentage"]), int(preferences["MaxHealthyPercentage"])
    if not 0 <= low <= 100 or not 100 <= high <= 200 or high - low > 100:
        raise ValidationError(
            f"MinHealthyPercentage {low} and MaxHealthyPercentage {high} must be 0-100 and 100-200, at most 100 apart."
        )


def _check_rollback(group: Any, wanted: Specification | None) -> None:
    if not wanted:
        raise ValidationError(
            "The AutoRollback parameter cannot be set to true when the DesiredConfiguration parameter is empty."
        )
    for version in (str(wanted.get("Version") or "$Default"), str(group.launch_template_version)):
        if version.startswith("$"):
            raise ValidationError(
                f"The AutoRollback parameter cannot be set to true when a launch template version is {version}."
            )


def describe_instance_refreshes(self: Any) -> Any:
    ids = self._get_param("InstanceRefreshIds", [])
    refreshes = [refresh.describe() for refresh in _group(self).refreshes if not ids or refresh.id in ids]
    limit = self._get_int_param("MaxRecords") or 50
    return ActionResult({"InstanceRefreshes": refreshes[:limit]})


def _active(response: Any) -> Refresh:
    refresh = current(_group(response))
    if refresh is None:
        raise AutoscalingClientError(
            "ActiveInstanceRefreshNotFound", "No in progress or pending Instance Refresh found for Auto Scaling group"
        )
    return refresh


def cancel_instance_refresh(self: Any) -> Any:
    refresh = _active(self)
    refresh.status, refresh.reason = "Cancelling", "Cancelled by user."
    return ActionResult({"InstanceRefreshId": refresh.id})


def rollback_instance_refresh(self: Any) -> Any:
    refresh = _active(self)
    if refresh.desired is None or str(refresh.source["Version"]).startswith("$"):
        raise AutoscalingClientError(
            "IrreversibleInstanceRefresh",
            "The desired configuration is not specified, so the refresh cannot be rolled back.",
        )
    refresh.status, refresh.reason = "RollbackInProgress", "Rollback requested by user."
    return ActionResult({"InstanceRefreshId": refresh.id})


def install() -> None:
    add(
        AutoScalingResponse,
        start_instance_refresh,
        describe_instance_refreshes,
        cancel_instance_refresh,
        rollback_instance_refresh,
    )

"""What the API says about a group of nodes, as one snapshot, for the waiting in `health`.

boto3 and not Pulumi's provider: these are questions about running machines, which no resource answers.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, Protocol

import boto3

CONSOLE_LINES = 25
HEALTHY = ("healthy", "")
SILENT = ("unhealthy", "it has not said that it is ready")


@dataclass(frozen=True, kw_only=True)
class Refresh:
    id: str
    status: str
    percent: int
    reason: str


@dataclass(frozen=True, kw_only=True)
class Snapshot:
    """`members` is instance id → lifecycle state; `targets` instance id → (state, reason) in the target group.

    `failures` is activity id → what went wrong, of recent launches and terminations.
    """

    desired: int
    members: Mapping[str, str]
    targets: Mapping[str, tuple[str, str]]
    refresh: Refresh | None
    failures: Mapping[str, str]

    @property
    def active(self) -> list[str]:
        """All but those that an operator has taken out on purpose."""
        return sorted(node for node, state in self.members.items() if "Standby" not in state)

    @property
    def healthy(self) -> list[str]:
        return [node for node in self.active if self._in_service(node)]

    def _in_service(self, node: str) -> bool:
        return self.members[node] == "InService" and self.targets.get(node, ("", ""))[0] == "healthy"


class Cloud(Protocol):
    def snapshot(self, group: str) -> Snapshot: ...

    def console_tail(self, instance_id: str) -> str: ...


class Aws:
    """The real one; endpoint and credentials come from the environment."""

    def __init__(self, region: str) -> None:
        self._session = boto3.session.Session(region_name=region)
        self._autoscaling = self._session.client("autoscaling")
        self._balancing = self._session.client("elbv2")

    @classmethod
    @cache
    def of(cls, region: str) -> "Aws":
        """One for all: making the clients takes a good part of an `up` that changes nothing."""
        return cls(region)

    def snapshot(self, group: str) -> Snapshot:
        answer = self._autoscaling.describe_auto_scaling_groups(AutoScalingGroupNames=[group])
        (asg,) = answer["AutoScalingGroups"]
        members = {node["InstanceId"]: node["LifecycleState"] for node in asg["Instances"]}
        # Without a balancer the group's own word counts: a launch waits until the node says that it is ready.
        said = {node: HEALTHY if state == "InService" else SILENT for node, state in members.items()}
        return Snapshot(
            desired=asg["DesiredCapacity"],
            members=members,
            targets=self._targets(asg["TargetGroupARNs"]) if asg["TargetGroupARNs"] else said,
            refresh=self._refresh(group),
            failures=self._failures(group),
        )

    def _refresh(self, group: str) -> Refresh | None:
        answer = self._autoscaling.describe_instance_refreshes(AutoScalingGroupName=group, MaxRecords=1)
        for entry in answer["InstanceRefreshes"]:
            return Refresh(
                id=entry["InstanceRefreshId"],
                status=entry["Status"],
                percent=entry.get("PercentageComplete", 0),
                reason=entry.get("StatusReason", ""),
            )
        return None

    def console_tail(self, instance_id: str) -> str:
        ec2 = self._session.client("ec2")
        answer: dict[str, Any] = ec2.get_console_output(InstanceId=instance_id, Latest=True)
        return "\n".join(answer.get("Output", "").splitlines()[-CONSOLE_LINES:])

    def _targets(self, group_arns: list[str]) -> dict[str, tuple[str, str]]:
        return {
            entry["Target"]["Id"]: (
                entry["TargetHealth"]["State"],
                entry["TargetHealth"].get("Description") or entry["TargetHealth"].get("Reason", ""),
            )
            for arn in group_arns
            for entry in self._balancing.describe_target_health(TargetGroupArn=arn)["TargetHealthDescriptions"]
        }

    def _failures(self, group: str) -> dict[str, str]:
        answer = self._autoscaling.describe_scaling_activities(AutoScalingGroupName=group, MaxRecords=5)
        return {
            activity["ActivityId"]: activity.get("StatusMessage") or activity["Description"]
            for activity in answer["Activities"]
            if activity["StatusCode"] == "Failed"
        }

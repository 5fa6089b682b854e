"""What the API says about a group of nodes, as one snapshot, for the waiting in `health`.

boto3 and not Pulumi's provider: these are questions about running machines, which no resource answers.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import boto3

CONSOLE_LINES = 25


@dataclass(frozen=True, kw_only=True)
class Refresh:
    id: str
    status: str
    percent: int
    reason: str


@dataclass(frozen=True, kw_only=True)
class Snapshot:
    """`members` is instance id → lifecycle state; `targets` instance id → (state, reason) in the target group."""

    desired: int
    members: Mapping[str, str]
    targets: Mapping[str, tuple[str, str]]
    refresh: Refresh | None
    failures: tuple[str, ...]

    @property
    def in_service(self) -> list[str]:
        return sorted(node for node, state in self.members.items() if state == "InService")

    @property
    def healthy(self) -> list[str]:
        return [node for node in self.in_service if self.targets.get(node, ("", ""))[0] == "healthy"]


class Cloud(Protocol):
    def snapshot(self, group: str) -> Snapshot: ...

    def latest_refresh(self, group: str) -> Refresh | None: ...

    def console_tail(self, instance_id: str) -> str: ...


class Aws:
    """The real one; endpoint and credentials come from the environment."""

    def __init__(self, region: str) -> None:
        session = boto3.session.Session(region_name=region)
        self._autoscaling = session.client("autoscaling")
        self._balancing = session.client("elbv2")
        self._ec2 = session.client("ec2")

    def snapshot(self, group: str) -> Snapshot:
        found = self._autoscaling.describe_auto_scaling_groups(AutoScalingGroupNames=[group])["AutoScalingGroups"]
        if not found:
            return Snapshot(desired=1, members={}, targets={}, refresh=None, failures=("the group does not exist",))
        asg = found[0]
        return Snapshot(
            desired=asg["DesiredCapacity"],
            members={node["InstanceId"]: node["LifecycleState"] for node in asg["Instances"]},
            targets=self._targets(asg["TargetGroupARNs"]),
            refresh=self.latest_refresh(group),
            failures=self._failures(group),
        )

    def latest_refresh(self, group: str) -> Refresh | None:
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
        answer: dict[str, Any] = self._ec2.get_console_output(InstanceId=instance_id, Latest=True)
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

    def _failures(self, group: str) -> tuple[str, ...]:
        answer = self._autoscaling.describe_scaling_activities(AutoScalingGroupName=group, MaxRecords=5)
        return tuple(
            f"{activity['StartTime']:%H:%M:%S} {activity.get('StatusMessage') or activity['Description']}"
            for activity in answer["Activities"]
            if activity["StatusCode"] == "Failed"
        )

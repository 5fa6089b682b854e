"""The history of an Auto Scaling group, which is where a failed launch says why.

Moto's DescribeScalingActivities is always empty.
Fixed when it lists a launch after `create_auto_scaling_group`.
"""

import json
import uuid
from datetime import UTC, datetime
from typing import Any

from moto.autoscaling.responses import AutoScalingResponse
from moto.core.responses import ActionResult

from localcloud.gaps.patch import AnyFunction, replace

KEPT = 200

Activity = dict[str, Any]


def record(group: Any, description: str, cause: str, status: str = "InProgress", **details: str) -> Activity:
    """A new activity at the top of the group's history. `finish` ends it."""
    now = datetime.now(UTC)
    activity: Activity = {
        "ActivityId": str(uuid.uuid4()),
        "AutoScalingGroupName": group.name,
        "AutoScalingGroupARN": group.arn,
        "Description": description,
        "Cause": f"At {now:%Y-%m-%dT%H:%M:%SZ} {cause}",
        "StartTime": now,
        "StatusCode": status,
        "Progress": 0 if status == "InProgress" else 50,
        "Details": json.dumps({key.replace("_", " "): value for key, value in details.items()}),
    }
    group.activities.insert(0, activity)
    del group.activities[KEPT:]
    return activity


def finish(activity: Activity | None, failure: str = "") -> None:
    if activity is None or activity["StatusCode"] in ("Successful", "Failed"):
        return
    activity["StatusCode"] = "Failed" if failure else "Successful"
    activity["Progress"] = 100
    activity["EndTime"] = datetime.now(UTC)
    if failure:
        activity["StatusMessage"] = failure


def _describe(_original: AnyFunction, self: Any) -> Any:
    name, ids = self._get_param("AutoScalingGroupName"), self._get_param("ActivityIds", [])
    groups = self.autoscaling_backend.autoscaling_groups.values()
    activities = [activity for group in groups if name in (None, group.name) for activity in group.activities]
    if ids:
        activities = [activity for activity in activities if activity["ActivityId"] in ids]
    limit = self._get_int_param("MaxRecords") or 100
    return ActionResult({"Activities": activities[:limit]})


def install() -> None:
    replace(AutoScalingResponse, "describe_scaling_activities", _describe)

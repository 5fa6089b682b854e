"""The health of a node that no balancer asks after: it is healthy when it has written its address to the parameter.

It writes that last of all, when everything about it works, so it says the same as a target's first good check. What was
written before it was launched is another's, who may have had the same address.
"""

from dataclasses import replace
from functools import cache
from typing import Any

import boto3

from infra.cloud import HEALTHY, SILENT, Aws, Cloud, Snapshot


class Announced:
    """What `cloud` knows of a group, with each member's health by the parameter."""

    def __init__(self, cloud: Cloud, parameter: str, ssm: Any, ec2: Any) -> None:
        self._cloud, self._parameter, self._ssm, self._ec2 = cloud, parameter, ssm, ec2

    @classmethod
    @cache
    def of(cls, region: str, parameter: str) -> "Announced":
        session = boto3.session.Session(region_name=region)
        return cls(Aws.of(region), parameter, session.client("ssm"), session.client("ec2"))

    def snapshot(self, group: str) -> Snapshot:
        found = self._cloud.snapshot(group)
        said = self._ssm.get_parameter(Name=self._parameter)["Parameter"]
        answer = self._ec2.describe_instances(Filters=[{"Name": "tag:aws:autoscaling:groupName", "Values": [group]}])
        found_here = [instance for entry in answer["Reservations"] for instance in entry["Instances"]]
        ready = {
            each["InstanceId"]
            for each in found_here
            if each.get("PrivateIpAddress") == said["Value"] and each["LaunchTime"] <= said["LastModifiedDate"]
        }
        return replace(found, targets={node: HEALTHY if node in ready else SILENT for node in found.members})

    def console_tail(self, instance_id: str) -> str:
        return self._cloud.console_tail(instance_id)

"""Instance refresh: what starts one. It is not waited for, as the AWS provider does not wait either."""

from typing import Any

from localcloud.provider.call import Call
from localcloud.provider.resource import Args
from localcloud.provider.shape import camel, to_aws
from localcloud.provider.types.autoscaling.inputs import PREFERENCES, TRIGGERS

CANCEL_SECONDS = 900
TRIGGER_NAMES = {"tag": "tags", "vpc_zone_identifier": "vpcZoneIdentifiers"}  # singular in the AWS provider
ENDED = ("Cancelled", "Failed", "Successful", "RollbackSuccessful", "RollbackFailed")


def wanted(new: Args, changed: frozenset[str]) -> bool:
    """Whether this update, given that a refresh is configured, is one that must replace machines."""
    configured = new.get("instanceRefresh")
    if not configured:
        return False
    named = {TRIGGER_NAMES.get(name) or camel(name) for name in configured.get("triggers") or []}
    return bool(changed & (TRIGGERS | named))


def start(call: Call, name: str, args: Args) -> None:
    client = call.client("autoscaling")
    configured = args["instanceRefresh"]
    preferences = _preferences(configured.get("preferences") or {})
    request: dict[str, Any] = {"AutoScalingGroupName": name, "Strategy": configured["strategy"]}
    if preferences:
        request["Preferences"] = preferences
    if preferences.get("AutoRollback"):
        template = args["launchTemplate"]
        by = {"LaunchTemplateId": template["id"]} if template.get("id") else {"LaunchTemplateName": template["name"]}
        request["DesiredConfiguration"] = {"LaunchTemplate": {**by, "Version": template["version"]}}
    try:
        client.start_instance_refresh(**request)
    except client.exceptions.InstanceRefreshInProgressFault:
        _cancel(call, name)
        client.start_instance_refresh(**request)


def _preferences(given: Args) -> dict[str, Any]:
    numbers = {name: int(given[name]) for name in ("instanceWarmup", "checkpointDelay") if given.get(name)}
    return to_aws(PREFERENCES, {**given, **numbers})


def _cancel(call: Call, name: str) -> None:
    """An older refresh gives way to the newer template, as the AWS provider does."""
    client = call.client("autoscaling")
    client.cancel_instance_refresh(AutoScalingGroupName=name)

    def ended() -> bool | None:
        found = client.describe_instance_refreshes(AutoScalingGroupName=name)["InstanceRefreshes"]
        call.progress("cancelling the earlier instance refresh")
        return not found or found[0]["Status"] in ENDED or None

    call.wait(ended, "the earlier instance refresh to be cancelled", CANCEL_SECONDS)

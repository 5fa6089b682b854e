"""The inputs of an Auto Scaling group, and which of them go straight into the API's calls."""

from collections.abc import Iterable, Mapping
from typing import Any

from localcloud.provider.rules import arn, between, conflicts, duration, identifier, length, matches, one_of
from localcloud.provider.schema import Autoname, Fields, block, blocks, boolean, integer, text, texts
from localcloud.provider.schema import Field as _Field
from localcloud.provider.values import UNKNOWN

PERCENT = between(0, 100)
TEMPLATE: Fields = {
    "id": text(identifier("lt"), computed=True, aws="LaunchTemplateId"),
    "name": text(computed=True, aws="LaunchTemplateName"),
    "version": text(default="$Default"),
}
MAINTENANCE: Fields = {
    "minHealthyPercentage": integer(between(-1, 100), required=True),
    "maxHealthyPercentage": integer(between(-1, 200), required=True),
}
PREFERENCES: Fields = {
    "minHealthyPercentage": integer(PERCENT, default=90),
    "maxHealthyPercentage": integer(between(100, 200), default=100),
    "autoRollback": boolean(),
    "skipMatching": boolean(),
    "instanceWarmup": text(matches(r"\d*", "be a number of seconds")),
    "checkpointDelay": text(matches(r"\d*", "be a number of seconds")),
    "checkpointPercentages": _Field(kind="list", item=integer(between(1, 100))),
    "scaleInProtectedInstances": text(one_of("Refresh", "Ignore", "Wait"), default="Ignore"),
    "standbyInstances": text(one_of("Terminate", "Ignore", "Wait"), default="Ignore"),
}
REFRESH: Fields = {
    "strategy": text(one_of("Rolling", "ReplaceRootVolume"), required=True),
    "preferences": block(PREFERENCES),
    "triggers": texts(unordered=True),
}
HOOK: Fields = {
    "name": text(length(1, 255), required=True, aws="LifecycleHookName"),
    "lifecycleTransition": text(
        one_of("autoscaling:EC2_INSTANCE_LAUNCHING", "autoscaling:EC2_INSTANCE_TERMINATING"), required=True
    ),
    "heartbeatTimeout": integer(between(30, 7200)),
    "defaultResult": text(one_of("CONTINUE", "ABANDON")),
}
TAG: Fields = {
    "key": text(length(1, 128), required=True),
    "value": text(length(0, 256), required=True),
    "propagateAtLaunch": boolean(required=True),
}
SIZES: Fields = {
    "minSize": integer(between(0, 10000), required=True),
    "maxSize": integer(between(0, 10000), required=True),
    "desiredCapacity": integer(between(0, 10000), computed=True),
}
DIRECT: Fields = {
    **SIZES,
    "capacityRebalance": boolean(),
    "defaultCooldown": integer(computed=True),
    "defaultInstanceWarmup": integer(),
    "healthCheckGracePeriod": integer(between(0, 2_000_000), default=300),
    "healthCheckType": text(one_of("EC2", "ELB", "EBS", "VPC_LATTICE", "EC2,ELB"), computed=True),
    "instanceMaintenancePolicy": block(MAINTENANCE),
    "launchTemplate": block(TEMPLATE),
    "maxInstanceLifetime": integer(),
    "protectFromScaleIn": boolean(aws="NewInstancesProtectedFromScaleIn"),
    "serviceLinkedRoleArn": text(arn("iam"), computed=True, aws="ServiceLinkedRoleARN"),
    "terminationPolicies": texts(),
}
WAITING: Fields = {
    "minElbCapacity": integer(local=True),
    "waitForElbCapacity": integer(local=True),
    "waitForCapacityTimeout": text(duration, default="10m", local=True),
    "ignoreFailedScalingActivities": boolean(default=False, local=True),
    "forceDelete": boolean(default=False, local=True),
    "instanceRefresh": block(REFRESH, local=True),
    "initialLifecycleHooks": blocks(HOOK, unordered=True, local=True),
}
INPUTS: Fields = {
    "name": text(length(1, 255), replace=True, computed=True, autoname=Autoname()),
    "availabilityZones": texts(computed=True, unordered=True),
    "vpcZoneIdentifiers": texts(identifier("subnet"), computed=True, unordered=True),
    "targetGroupArns": texts(arn("elasticloadbalancing"), computed=True, elsewhere=True, unordered=True),
    "enabledMetrics": texts(unordered=True),
    "metricsGranularity": text(default="1Minute"),
    "suspendedProcesses": texts(unordered=True, elsewhere=True),
    "tags": blocks(TAG, unordered=True),
    **DIRECT,
    **WAITING,
}
TRIGGERS = frozenset({"launchTemplate", "launchConfiguration", "mixedInstancesPolicy"})


def problems(args: Mapping[str, Any]) -> Iterable[tuple[str, str]]:
    """What Auto Scaling refuses, or never can fulfil, across inputs."""
    sizes = {name: args[name] for name in SIZES if isinstance(args.get(name), int)}
    low, high, wanted = (sizes.get(name) for name in SIZES)
    if low is not None and high is not None and low > high:
        yield "minSize", f"{low} is above maxSize {high}"
    if wanted is not None and low is not None and wanted < low:
        yield "desiredCapacity", f"{wanted} is below minSize {low}"
    if wanted is not None and high is not None and wanted > high:
        yield "desiredCapacity", f"{wanted} is above maxSize {high}"
    if args.get("launchTemplate") is None:
        yield "launchTemplate", "a group needs a launch template"
    elif args["launchTemplate"] is not UNKNOWN:
        yield from ((f"launchTemplate.{at}", why) for at, why in conflicts(args["launchTemplate"], ("id", "name")))
        if not {"id", "name"} & args["launchTemplate"].keys():
            yield "launchTemplate.id", "one of id and name is required"
    if not args.get("vpcZoneIdentifiers") and not args.get("availabilityZones"):
        yield "vpcZoneIdentifiers", "a group needs subnets, or availability zones"
    yield from _policy(args.get("instanceMaintenancePolicy"))


def _policy(policy: Any) -> Iterable[tuple[str, str]]:
    if not isinstance(policy, Mapping):
        return
    low, high = policy.get("minHealthyPercentage"), policy.get("maxHealthyPercentage")
    if isinstance(low, int) and isinstance(high, int) and high - low > 100:
        yield "instanceMaintenancePolicy.maxHealthyPercentage", f"{high} is more than 100 above the minimum {low}"

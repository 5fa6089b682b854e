"""Scaling policies: of the kinds that there are, target tracking, which is the one that the program uses."""

from typing import Any

from localcloud.provider.call import Call
from localcloud.provider.resource import Args, Resource, State
from localcloud.provider.rules import between, length, matches, one_of
from localcloud.provider.schema import Autoname, Fields, block, blocks, boolean, integer, number, text
from localcloud.provider.shape import from_aws, to_aws

METRIC: Fields = {
    "predefinedMetricType": text(
        one_of("ALBRequestCountPerTarget", "ASGAverageCPUUtilization", "ASGAverageNetworkIn", "ASGAverageNetworkOut"),
        required=True,
    ),
    "resourceLabel": text(length(1, 1023)),
}
DIMENSION: Fields = {"name": text(length(1, 255), required=True), "value": text(length(1, 1024), required=True)}
NAMED: Fields = {
    "namespace": text(length(1, 255), required=True),
    "metricName": text(length(1, 255), required=True),
    "dimensions": blocks(DIMENSION, unordered=True),
}
STAT: Fields = {
    "metric": block(NAMED, required=True),
    "stat": text(length(1, 100), required=True),
    "unit": text(),
}
QUERY: Fields = {
    "id": text(matches(r"[a-z]\w*", "begin with a small letter"), required=True),
    "expression": text(length(1, 2047)),
    "label": text(length(0, 2047)),
    "metricStat": block(STAT),
    "returnData": boolean(default=True),
}
TRACKING: Fields = {
    "predefinedMetricSpecification": block(METRIC),
    "customizedMetricSpecification": block({"metrics": blocks(QUERY)}),
    "targetValue": number(between(0, 2**360), required=True),
    "disableScaleIn": boolean(default=False),
}
DIRECT: Fields = {
    "policyType": text(one_of("TargetTrackingScaling"), required=False, computed=True),
    "targetTrackingConfiguration": block(TRACKING),
    "estimatedInstanceWarmup": integer(between(0, 2_000_000)),
    "enabled": boolean(default=True),
}


class Policy(Resource):
    token = "aws:autoscaling/policy:Policy"
    inputs = {
        "name": text(length(1, 255), replace=True, computed=True, autoname=Autoname()),
        "autoscalingGroupName": text(length(1, 255), required=True, replace=True),
        **DIRECT,
    }
    outputs = ("arn",)

    def check(self, args: Args) -> Any:
        if args.get("policyType") != "TargetTrackingScaling":
            yield "policyType", "the local cloud knows TargetTrackingScaling only"
        if not args.get("targetTrackingConfiguration"):
            yield "targetTrackingConfiguration", "target tracking needs it"

    def create(self, call: Call, args: Args) -> str:
        self._put(call, args)
        return str(args["name"])

    def _put(self, call: Call, args: Args) -> None:
        call.client("autoscaling").put_scaling_policy(
            AutoScalingGroupName=args["autoscalingGroupName"], PolicyName=args["name"], **to_aws(DIRECT, args)
        )

    def read(self, call: Call, id: str, state: State) -> dict[str, Any] | None:
        """An import names it `group/policy`."""
        group, _, name = id.rpartition("/")
        group = str(state.get("autoscalingGroupName") or group)
        found = call.client("autoscaling").describe_policies(AutoScalingGroupName=group, PolicyNames=[name])
        if not found["ScalingPolicies"]:
            return None
        policy = found["ScalingPolicies"][0]
        return {
            **from_aws(DIRECT, policy),
            "id": name,
            "name": policy["PolicyName"],
            "autoscalingGroupName": policy["AutoScalingGroupName"],
            "arn": policy["PolicyARN"],
        }

    def update(self, call: Call, id: str, old: State, new: Args, changed: frozenset[str]) -> None:
        self._put(call, new)

    def delete(self, call: Call, id: str, state: State) -> None:
        call.client("autoscaling").delete_policy(AutoScalingGroupName=state["autoscalingGroupName"], PolicyName=id)

"""Target groups: where a balancer sends requests, and how it asks whether a target is well."""

from collections.abc import Iterable
from typing import Any

from localcloud.provider.call import Call
from localcloud.provider.resource import Args, Resource, State
from localcloud.provider.rules import between, identifier, length, matches, one_of
from localcloud.provider.schema import TAGS, Fields, block, boolean, integer, text
from localcloud.provider.types.lb.common import NAME, Attributes, retag, tagged, tags

HEALTH: Fields = {
    "enabled": boolean(default=True),
    "healthyThreshold": integer(between(2, 10), default=3),
    "unhealthyThreshold": integer(between(2, 10), default=3),
    "interval": integer(between(5, 300), default=30),
    "timeout": integer(between(2, 120), computed=True),
    "matcher": text(matches(r"\d{3}([,-]\d{3})*", "be codes such as 200 or 200-299"), computed=True),
    "path": text(length(1, 1024), matches(r"/.*", "begin with /"), computed=True),
    "port": text(matches(r"traffic-port|\d{1,5}", "be a port or traffic-port"), default="traffic-port"),
    "protocol": text(one_of("HTTP", "HTTPS"), default="HTTP"),
}
STICKINESS: Fields = {
    "type": text(one_of("lb_cookie", "app_cookie"), required=True),
    "enabled": boolean(default=True),
    "cookieDuration": integer(between(1, 604800), default=86400),
    "cookieName": text(),
}
SETTINGS: Fields = {
    "deregistrationDelay": integer(between(0, 3600), default=300),
    "slowStart": integer(default=0),
    "loadBalancingAlgorithmType": text(
        one_of("round_robin", "least_outstanding_requests", "weighted_random"), computed=True
    ),
    "loadBalancingCrossZoneEnabled": text(one_of("true", "false", "use_load_balancer_configuration"), computed=True),
    "loadBalancingAnomalyMitigation": text(one_of("on", "off"), computed=True),
}
KEYS = {
    "deregistrationDelay": "deregistration_delay.timeout_seconds",
    "slowStart": "slow_start.duration_seconds",
    "loadBalancingAlgorithmType": "load_balancing.algorithm.type",
    "loadBalancingCrossZoneEnabled": "load_balancing.cross_zone.enabled",
    "loadBalancingAnomalyMitigation": "load_balancing.algorithm.anomaly_mitigation",
}
ATTRIBUTES = Attributes(KEYS, SETTINGS)
CALL = {
    "enabled": "HealthCheckEnabled",
    "healthyThreshold": "HealthyThresholdCount",
    "unhealthyThreshold": "UnhealthyThresholdCount",
    "interval": "HealthCheckIntervalSeconds",
    "timeout": "HealthCheckTimeoutSeconds",
    "path": "HealthCheckPath",
    "port": "HealthCheckPort",
    "protocol": "HealthCheckProtocol",
}


class TargetGroup(Resource):
    token = "aws:lb/targetGroup:TargetGroup"
    inputs = {
        "name": NAME,
        "port": integer(between(1, 65535), replace=True),
        "protocol": text(one_of("HTTP", "HTTPS"), replace=True),
        "protocolVersion": text(one_of("HTTP1", "HTTP2", "GRPC"), computed=True, replace=True),
        "targetType": text(one_of("instance", "ip"), default="instance", replace=True),
        "ipAddressType": text(one_of("ipv4", "ipv6"), computed=True, replace=True),
        "vpcId": text(identifier("vpc"), replace=True),
        "healthCheck": block(HEALTH, computed=True),
        "stickiness": block(STICKINESS, computed=True),
        **SETTINGS,
        **TAGS,
    }
    outputs = ("arn", "arnSuffix", "loadBalancerArns")

    def check(self, args: Args) -> Iterable[tuple[str, str]]:
        for name in ("port", "protocol", "vpcId"):
            if args.get(name) is None:
                yield name, f"a target group of type {args['targetType']} needs it"
        slow = args["slowStart"]
        if isinstance(slow, int) and slow != 0 and not 30 <= slow <= 900:
            yield "slowStart", f"{slow} is neither 0 nor between 30 and 900"
        health = args.get("healthCheck")
        if isinstance(health, dict):
            interval, timeout = health.get("interval"), health.get("timeout")
            if isinstance(interval, int) and isinstance(timeout, int) and timeout >= interval:
                yield "healthCheck.timeout", f"{timeout} must be below the interval, {interval}"

    def create(self, call: Call, args: Args) -> str:
        optional = {
            "ProtocolVersion": args.get("protocolVersion"),
            "IpAddressType": args.get("ipAddressType"),
            **_health(args),
        }
        made = call.client("elbv2").create_target_group(
            Name=args["name"],
            Port=args["port"],
            Protocol=args["protocol"],
            VpcId=args["vpcId"],
            TargetType=args["targetType"],
            **{key: value for key, value in optional.items() if value is not None},
            **tagged(args),
        )
        return str(made["TargetGroups"][0]["TargetGroupArn"])

    def configure(self, call: Call, id: str, args: Args) -> None:
        client = call.client("elbv2")
        have = client.describe_target_group_attributes(TargetGroupArn=id)["Attributes"]
        wanted = ATTRIBUTES.differing(have, args) + _stickiness(args)
        if wanted:
            client.modify_target_group_attributes(TargetGroupArn=id, Attributes=wanted)

    def read(self, call: Call, id: str, state: State) -> dict[str, Any] | None:
        client = call.client("elbv2")
        group = client.describe_target_groups(TargetGroupArns=[id])["TargetGroups"][0]
        have = client.describe_target_group_attributes(TargetGroupArn=id)["Attributes"]
        now = {each["Key"]: each["Value"] for each in have}
        health = {name: group.get(key) for name, key in CALL.items()}
        health["matcher"] = (group.get("Matcher") or {}).get("HttpCode")
        return {
            **ATTRIBUTES.read(have),
            "arn": id,
            "arnSuffix": id.rsplit(":", 1)[-1],
            "loadBalancerArns": group.get("LoadBalancerArns") or [],
            "name": group["TargetGroupName"],
            "port": group.get("Port"),
            "protocol": group.get("Protocol"),
            "protocolVersion": group.get("ProtocolVersion"),
            "targetType": group["TargetType"],
            "ipAddressType": group.get("IpAddressType"),
            "vpcId": group.get("VpcId"),
            "healthCheck": {name: value for name, value in health.items() if value is not None},
            "stickiness": {
                "enabled": now.get("stickiness.enabled") == "true",
                "type": now.get("stickiness.type", "lb_cookie"),
                "cookieDuration": int(now.get("stickiness.lb_cookie.duration_seconds", 86400)),
            },
            "tagsAll": tags(call, id),
        }

    def update(self, call: Call, id: str, old: State, new: Args, changed: frozenset[str]) -> None:
        if "healthCheck" in changed:
            change = {key: value for key, value in _health(new).items() if value is not None}
            call.client("elbv2").modify_target_group(TargetGroupArn=id, **change)
        self.configure(call, id, new)
        retag(call, id, old, new)

    def delete(self, call: Call, id: str, state: State) -> None:
        client = call.client("elbv2")
        delete = client.delete_target_group
        call.retry(lambda: delete(TargetGroupArn=id), ("ResourceInUse",), "the target group is in use", 120)


def _health(args: Args) -> dict[str, Any]:
    health = args.get("healthCheck") or {}
    given = {key: health.get(name) for name, key in CALL.items()}
    return given | {"Matcher": {"HttpCode": health["matcher"]} if health.get("matcher") else None}


def _stickiness(args: Args) -> list[dict[str, str]]:
    sticky = args.get("stickiness")
    if not sticky:
        return []
    kind = sticky["type"]
    values = {
        "stickiness.enabled": str(sticky["enabled"]).lower(),
        "stickiness.type": kind,
        f"stickiness.{kind}.duration_seconds": str(sticky["cookieDuration"]),
        **({"stickiness.app_cookie.cookie_name": sticky["cookieName"]} if sticky.get("cookieName") else {}),
    }
    return [{"Key": key, "Value": value} for key, value in values.items()]

"""Load balancers. Their kind, name and side (public or internal) are for ever; the rest may change."""

from collections.abc import Iterable
from typing import Any

from localcloud.provider.call import Call
from localcloud.provider.errors import WaitError
from localcloud.provider.resource import Args, Resource, State
from localcloud.provider.rules import between, conflicts, identifier, one_of
from localcloud.provider.schema import TAGS, Fields, block, blocks, boolean, integer, text, texts
from localcloud.provider.types.lb.common import NAME, Attributes, retag, tagged, tags

LOGS: Fields = {"bucket": text(required=True), "enabled": boolean(default=False), "prefix": text()}
SETTINGS: Fields = {
    "idleTimeout": integer(between(1, 4000), default=60),
    "clientKeepAlive": integer(between(60, 604800), default=3600),
    "dropInvalidHeaderFields": boolean(default=False),
    "enableDeletionProtection": boolean(default=False),
    "enableHttp2": boolean(default=True),
    "enableCrossZoneLoadBalancing": boolean(computed=True),
    "enableTlsVersionAndCipherSuiteHeaders": boolean(default=False),
    "enableWafFailOpen": boolean(default=False),
    "enableXffClientPort": boolean(default=False),
    "preserveHostHeader": boolean(default=False),
    "desyncMitigationMode": text(one_of("monitor", "defensive", "strictest"), default="defensive"),
    "xffHeaderProcessingMode": text(one_of("append", "preserve", "remove"), default="append"),
}
KEYS = {
    "idleTimeout": "idle_timeout.timeout_seconds",
    "clientKeepAlive": "client_keep_alive.seconds",
    "dropInvalidHeaderFields": "routing.http.drop_invalid_header_fields.enabled",
    "enableDeletionProtection": "deletion_protection.enabled",
    "enableHttp2": "routing.http2.enabled",
    "enableCrossZoneLoadBalancing": "load_balancing.cross_zone.enabled",
    "enableTlsVersionAndCipherSuiteHeaders": "routing.http.x_amzn_tls_version_and_cipher_suite.enabled",
    "enableWafFailOpen": "waf.fail_open.enabled",
    "enableXffClientPort": "routing.http.xff_client_port.enabled",
    "preserveHostHeader": "routing.http.preserve_host_header.enabled",
    "desyncMitigationMode": "routing.http.desync_mitigation_mode",
    "xffHeaderProcessingMode": "routing.http.xff_header_processing.mode",
}
ATTRIBUTES = Attributes(KEYS, SETTINGS)


class LoadBalancer(Resource):
    token = "aws:lb/loadBalancer:LoadBalancer"
    inputs = {
        "name": NAME,
        "internal": boolean(computed=True, replace=True),
        "loadBalancerType": text(one_of("application"), default="application", replace=True),
        "ipAddressType": text(one_of("ipv4", "dualstack", "dualstack-without-public-ipv4"), computed=True),
        "securityGroups": texts(identifier("sg"), computed=True, unordered=True),
        "subnets": texts(identifier("subnet"), computed=True, unordered=True),
        "subnetMappings": blocks(
            {"subnetId": text(identifier("subnet"), required=True)}, computed=True, elsewhere=True, unordered=True
        ),
        "accessLogs": block(LOGS),
        **SETTINGS,
        **TAGS,
    }
    outputs = ("arn", "arnSuffix", "dnsName", "vpcId", "zoneId")

    def check(self, args: Args) -> Iterable[tuple[str, str]]:
        yield from conflicts(dict(args), ("subnets", "subnetMappings"))
        for name in ("subnets", "subnetMappings"):
            given = args.get(name)
            if isinstance(given, list) and len(given) < 2:
                yield name, f"an application load balancer needs subnets in two zones at least, not {len(given)}"
        if args.get("subnets") is None and args.get("subnetMappings") is None:
            yield "subnets", "a load balancer needs subnets"

    def create(self, call: Call, args: Args) -> str:
        optional = {
            "Scheme": "internal" if args.get("internal") else "internet-facing",
            "SecurityGroups": args.get("securityGroups"),
            "Subnets": args.get("subnets"),
            "SubnetMappings": [{"SubnetId": each["subnetId"]} for each in args.get("subnetMappings") or []],
            "IpAddressType": args.get("ipAddressType"),
        }
        made = call.client("elbv2").create_load_balancer(
            Name=args["name"],
            Type=args["loadBalancerType"],
            **{key: value for key, value in optional.items() if value},
            **tagged(args),
        )
        return str(made["LoadBalancers"][0]["LoadBalancerArn"])

    def configure(self, call: Call, id: str, args: Args) -> None:
        def active() -> bool | None:
            state = self._look(call, id)["State"]
            call.progress(state["Code"])
            if state["Code"] == "failed":
                raise WaitError(f"the load balancer failed: {state.get('Reason')}")
            return state["Code"] in ("active", "active_impaired") or None

        self._attributes(call, id, args)
        call.wait(active, "the load balancer to be active", 600)

    def _attributes(self, call: Call, id: str, args: Args) -> None:
        client = call.client("elbv2")
        have = client.describe_load_balancer_attributes(LoadBalancerArn=id)["Attributes"]
        wanted = ATTRIBUTES.differing([*_defaults(), *have], args) + _logs(args)
        if wanted:
            client.modify_load_balancer_attributes(LoadBalancerArn=id, Attributes=wanted)

    def _look(self, call: Call, id: str) -> dict[str, Any]:
        return dict(call.client("elbv2").describe_load_balancers(LoadBalancerArns=[id])["LoadBalancers"][0])

    def read(self, call: Call, id: str, state: State) -> dict[str, Any] | None:
        balancer = self._look(call, id)
        have = call.client("elbv2").describe_load_balancer_attributes(LoadBalancerArn=id)["Attributes"]
        now = {each["Key"]: each["Value"] for each in have}
        logs = {
            "bucket": now.get("access_logs.s3.bucket"),
            "enabled": now.get("access_logs.s3.enabled") == "true",
            "prefix": now.get("access_logs.s3.prefix") or None,
        }
        subnets = [zone["SubnetId"] for zone in balancer["AvailabilityZones"]]
        return {
            **ATTRIBUTES.read(have),
            "arn": id,
            "arnSuffix": id.split(":loadbalancer/", 1)[-1],
            "dnsName": balancer["DNSName"],
            "vpcId": balancer["VpcId"],
            "zoneId": balancer.get("CanonicalHostedZoneId"),
            "name": balancer["LoadBalancerName"],
            "internal": balancer["Scheme"] == "internal",
            "loadBalancerType": balancer["Type"],
            "ipAddressType": balancer.get("IpAddressType"),
            "securityGroups": balancer.get("SecurityGroups") or [],
            "subnets": subnets,
            "subnetMappings": [{"subnetId": subnet} for subnet in subnets],
            "accessLogs": logs if logs["bucket"] else None,
            "tagsAll": tags(call, id),
        }

    def update(self, call: Call, id: str, old: State, new: Args, changed: frozenset[str]) -> None:
        client = call.client("elbv2")
        if "securityGroups" in changed:
            client.set_security_groups(LoadBalancerArn=id, SecurityGroups=new.get("securityGroups") or [])
        if changed & {"subnets", "subnetMappings"}:
            mapped = [each["subnetId"] for each in new.get("subnetMappings") or []]
            client.set_subnets(LoadBalancerArn=id, Subnets=new.get("subnets") or mapped)
        if "ipAddressType" in changed:
            client.set_ip_address_type(LoadBalancerArn=id, IpAddressType=new["ipAddressType"])
        self._attributes(call, id, new)
        retag(call, id, old, new)

    def delete(self, call: Call, id: str, state: State) -> None:
        client = call.client("elbv2")
        client.delete_load_balancer(LoadBalancerArn=id)
        look = client.describe_load_balancers
        call.wait_gone(lambda: look(LoadBalancerArns=[id])["LoadBalancers"], "the load balancer", 600)


def _defaults() -> list[dict[str, str]]:
    """What AWS has where the API does not answer an attribute."""
    given = {name: spec.default for name, spec in SETTINGS.items() if spec.default is not None}
    return ATTRIBUTES.differing([], given)


def _logs(args: Args) -> list[dict[str, str]]:
    logs = args.get("accessLogs")
    if not logs:
        return []
    keys = {"bucket": logs["bucket"], "enabled": str(logs["enabled"]).lower(), "prefix": logs.get("prefix") or ""}
    return [{"Key": f"access_logs.s3.{key}", "Value": value} for key, value in keys.items()]

"""VPC endpoints: S3's own route, and interfaces of other services inside the network."""

from collections.abc import Iterable
from typing import Any

from localcloud.provider.call import Call
from localcloud.provider.errors import WaitError
from localcloud.provider.resource import Args, Resource, State
from localcloud.provider.rules import identifier, one_of
from localcloud.provider.schema import TAGS, block, boolean, document, text, texts
from localcloud.provider.shape import to_aws
from localcloud.provider.tags import from_pairs, retag_ec2, specification

SETS = {"routeTableIds": "RouteTableIds", "subnetIds": "SubnetIds", "securityGroupIds": "SecurityGroupIds"}
DNS = {"dnsRecordIpType": text(computed=True), "privateDnsOnlyForInboundResolverEndpoint": boolean(computed=True)}


class VpcEndpoint(Resource):
    token = "aws:ec2/vpcEndpoint:VpcEndpoint"
    inputs = {
        "vpcId": text(identifier("vpc"), required=True, replace=True),
        "serviceName": text(required=True, replace=True),
        "vpcEndpointType": text(one_of("Gateway", "Interface", "GatewayLoadBalancer"), default="Gateway", replace=True),
        "policy": document(computed=True),
        "privateDnsEnabled": boolean(computed=True),
        "routeTableIds": texts(identifier("rtb"), computed=True, unordered=True),
        "subnetIds": texts(identifier("subnet"), computed=True, unordered=True),
        "securityGroupIds": texts(identifier("sg"), computed=True, unordered=True),
        "ipAddressType": text(computed=True),
        "dnsOptions": block(DNS, computed=True),
        "autoAccept": boolean(local=True),
        **TAGS,
    }
    outputs = ("arn", "cidrBlocks", "dnsEntries", "networkInterfaceIds", "ownerId", "prefixListId", "state")

    def check(self, args: Args) -> Iterable[tuple[str, str]]:
        gateway = args["vpcEndpointType"] == "Gateway"
        for name in ("subnetIds", "securityGroupIds", "privateDnsEnabled") if gateway else ("routeTableIds",):
            if args.get(name):
                yield name, f"an endpoint of type {args['vpcEndpointType']} takes none"

    def create(self, call: Call, args: Args) -> str:
        names = ("vpcId", "serviceName", "vpcEndpointType", *SETS, "privateDnsEnabled", "ipAddressType", "dnsOptions")
        policy = {"PolicyDocument": args["policy"]} if args.get("policy") else {}
        made = call.client("ec2").create_vpc_endpoint(
            TagSpecifications=specification("vpc-endpoint", args["tagsAll"]),
            **to_aws({name: self.inputs[name] for name in names}, args),
            **policy,
        )
        return str(made["VpcEndpoint"]["VpcEndpointId"])

    def configure(self, call: Call, id: str, args: Args) -> None:
        def available() -> bool | None:
            state = str((self._look(call, id) or {}).get("State", "pending")).lower()
            call.progress(state)
            if state in ("failed", "rejected", "expired"):
                raise WaitError(f"the endpoint is {state}")
            return state == "available" or None

        call.wait(available, "the endpoint to be available", 600)

    def _look(self, call: Call, id: str) -> dict[str, Any] | None:
        found = call.client("ec2").describe_vpc_endpoints(VpcEndpointIds=[id])["VpcEndpoints"]
        return found[0] if found and str(found[0].get("State")).lower() != "deleted" else None

    def read(self, call: Call, id: str, state: State) -> dict[str, Any] | None:
        endpoint = self._look(call, id)
        if endpoint is None:
            return None
        owner = endpoint.get("OwnerId") or call.account
        gateway = endpoint["VpcEndpointType"] == "Gateway"
        prefixes = _prefix_list(call, endpoint["ServiceName"]) if gateway else {}
        entries = [{"dnsName": e.get("DnsName"), "hostedZoneId": e.get("HostedZoneId")} for e in _entries(endpoint)]
        return {
            "arn": f"arn:aws:ec2:{call.region}:{owner}:vpc-endpoint/{id}",
            "ownerId": owner,
            "state": endpoint.get("State"),
            "vpcId": endpoint["VpcId"],
            "serviceName": endpoint["ServiceName"],
            "vpcEndpointType": endpoint["VpcEndpointType"],
            "policy": endpoint.get("PolicyDocument"),
            "privateDnsEnabled": bool(endpoint.get("PrivateDnsEnabled")),
            "ipAddressType": endpoint.get("IpAddressType"),
            "routeTableIds": endpoint.get("RouteTableIds") or [],
            "subnetIds": endpoint.get("SubnetIds") or [],
            "securityGroupIds": [group["GroupId"] for group in endpoint.get("Groups") or []],
            "networkInterfaceIds": endpoint.get("NetworkInterfaceIds") or [],
            "dnsEntries": entries,
            "prefixListId": prefixes.get("PrefixListId"),
            "cidrBlocks": prefixes.get("Cidrs") or [],
            "tagsAll": from_pairs(endpoint.get("Tags")),
        }

    def update(self, call: Call, id: str, old: State, new: Args, changed: frozenset[str]) -> None:
        change: dict[str, Any] = {}
        for name, key in SETS.items():
            if name in changed:
                before, after = set(old.get(name) or []), set(new.get(name) or [])
                change |= {f"Add{key}": sorted(after - before), f"Remove{key}": sorted(before - after)}
        if "policy" in changed:
            change |= {"PolicyDocument": new["policy"]} if new.get("policy") else {"ResetPolicy": True}
        plain = {name: self.inputs[name] for name in ("privateDnsEnabled", "ipAddressType", "dnsOptions")}
        change |= to_aws({name: spec for name, spec in plain.items() if name in changed}, new)
        change = {key: value for key, value in change.items() if value != []}
        if change:
            call.client("ec2").modify_vpc_endpoint(VpcEndpointId=id, **change)
        retag_ec2(call.client("ec2"), id, old.get("tagsAll"), new["tagsAll"])

    def delete(self, call: Call, id: str, state: State) -> None:
        refused = call.client("ec2").delete_vpc_endpoints(VpcEndpointIds=[id]).get("Unsuccessful") or []
        for each in refused:
            if "NotFound" not in each["Error"]["Code"]:
                raise WaitError(f"{each['Error']['Code']}: {each['Error']['Message']}")
        call.wait_gone(lambda: self._look(call, id), "the endpoint", 600)


def _entries(endpoint: dict[str, Any]) -> list[dict[str, Any]]:
    return endpoint.get("DnsEntries") or []


def _prefix_list(call: Call, service: str) -> dict[str, Any]:
    filters = [{"Name": "prefix-list-name", "Values": [service]}]
    found = call.client("ec2").describe_prefix_lists(Filters=filters)["PrefixLists"]
    return dict(found[0]) if found else {}

"""The ways out of the network: internet gateway, elastic addresses, NAT gateways."""

from collections.abc import Iterable
from typing import Any

from localcloud.provider.call import Call
from localcloud.provider.errors import WaitError
from localcloud.provider.resource import Args, Resource, State
from localcloud.provider.rules import identifier, one_of
from localcloud.provider.schema import TAGS, text
from localcloud.provider.shape import to_aws
from localcloud.provider.tags import from_pairs, retag_ec2, specification

BUSY = ("DependencyViolation",)


class InternetGateway(Resource):
    token = "aws:ec2/internetGateway:InternetGateway"
    inputs = {"vpcId": text(identifier("vpc"), computed=True, elsewhere=True), **TAGS}
    outputs = ("arn", "ownerId")

    def create(self, call: Call, args: Args) -> str:
        made = call.client("ec2").create_internet_gateway(
            TagSpecifications=specification("internet-gateway", args["tagsAll"])
        )
        return str(made["InternetGateway"]["InternetGatewayId"])

    def configure(self, call: Call, id: str, args: Args) -> None:
        attached = self._look(call, id).get("Attachments") or []
        if args.get("vpcId") and not any(each["VpcId"] == args["vpcId"] for each in attached):
            call.client("ec2").attach_internet_gateway(InternetGatewayId=id, VpcId=args["vpcId"])

    def _look(self, call: Call, id: str) -> dict[str, Any]:
        found = call.client("ec2").describe_internet_gateways(InternetGatewayIds=[id])["InternetGateways"]
        return dict(found[0])

    def read(self, call: Call, id: str, state: State) -> dict[str, Any] | None:
        gateway = self._look(call, id)
        owner = gateway.get("OwnerId") or call.account
        attached = gateway.get("Attachments") or []
        return {
            "arn": f"arn:aws:ec2:{call.region}:{owner}:internet-gateway/{id}",
            "ownerId": owner,
            "vpcId": attached[0]["VpcId"] if attached else None,
            "tagsAll": from_pairs(gateway.get("Tags")),
        }

    def update(self, call: Call, id: str, old: State, new: Args, changed: frozenset[str]) -> None:
        if "vpcId" in changed:
            self._detach(call, id, old)
            self.configure(call, id, new)
        retag_ec2(call.client("ec2"), id, old.get("tagsAll"), new["tagsAll"])

    def _detach(self, call: Call, id: str, state: State) -> None:
        client = call.client("ec2")
        vpc = state.get("vpcId")
        if vpc:
            call.retry(
                lambda: client.detach_internet_gateway(InternetGatewayId=id, VpcId=vpc),
                BUSY,
                "public addresses are in use",
                1200,
            )

    def delete(self, call: Call, id: str, state: State) -> None:
        client = call.client("ec2")
        self._detach(call, id, {"vpcId": (self.read(call, id, state) or {}).get("vpcId")})
        call.retry(lambda: client.delete_internet_gateway(InternetGatewayId=id), BUSY, "the gateway is in use", 1200)


class Eip(Resource):
    token = "aws:ec2/eip:Eip"
    inputs = {
        "domain": text(one_of("vpc"), computed=True, replace=True),
        "networkBorderGroup": text(computed=True, replace=True),
        "publicIpv4Pool": text(computed=True, replace=True),
        **TAGS,
    }
    outputs = (
        "allocationId",
        "arn",
        "associationId",
        "instance",
        "networkInterface",
        "privateDns",
        "privateIp",
        "publicDns",
        "publicIp",
    )

    def create(self, call: Call, args: Args) -> str:
        chosen = {"networkBorderGroup": self.inputs["networkBorderGroup"], "publicIpv4Pool": self.inputs["domain"]}
        made = call.client("ec2").allocate_address(
            Domain=args.get("domain") or "vpc",
            TagSpecifications=specification("elastic-ip", args["tagsAll"]),
            **to_aws(chosen, args),
        )
        return str(made["AllocationId"])

    def read(self, call: Call, id: str, state: State) -> dict[str, Any] | None:
        address = call.client("ec2").describe_addresses(AllocationIds=[id])["Addresses"][0]
        dashed = address["PublicIp"].replace(".", "-")
        zone = "compute-1" if call.region == "us-east-1" else f"{call.region}.compute"
        return {
            "allocationId": id,
            "arn": f"arn:aws:ec2:{call.region}:{call.account}:elastic-ip/{id}",
            "domain": address["Domain"],
            "networkBorderGroup": address.get("NetworkBorderGroup"),
            "publicIpv4Pool": address.get("PublicIpv4Pool"),
            "associationId": address.get("AssociationId"),
            "instance": address.get("InstanceId") or None,
            "networkInterface": address.get("NetworkInterfaceId"),
            "privateIp": address.get("PrivateIpAddress"),
            "publicIp": address["PublicIp"],
            "publicDns": f"ec2-{dashed}.{zone}.amazonaws.com",
            "tagsAll": from_pairs(address.get("Tags")),
        }

    def update(self, call: Call, id: str, old: State, new: Args, changed: frozenset[str]) -> None:
        retag_ec2(call.client("ec2"), id, old.get("tagsAll"), new["tagsAll"])

    def delete(self, call: Call, id: str, state: State) -> None:
        client = call.client("ec2")
        in_use = ("InvalidIPAddress.InUse",)
        call.retry(lambda: client.release_address(AllocationId=id), in_use, "the address is in use", 180)


class NatGateway(Resource):
    token = "aws:ec2/natGateway:NatGateway"
    inputs = {
        "subnetId": text(identifier("subnet"), required=True, replace=True),
        "allocationId": text(identifier("eipalloc"), replace=True),
        "connectivityType": text(one_of("public", "private"), default="public", replace=True),
        "privateIp": text(computed=True, replace=True),
        **TAGS,
    }
    outputs = ("associationId", "networkInterfaceId", "publicIp")

    def check(self, args: Args) -> Iterable[tuple[str, str]]:
        if args["connectivityType"] == "public" and args.get("allocationId") is None:
            yield "allocationId", "a public NAT gateway needs an elastic address"

    def create(self, call: Call, args: Args) -> str:
        given = {name: self.inputs[name] for name in ("allocationId", "connectivityType")}
        address = {"PrivateIpAddress": args["privateIp"]} if args.get("privateIp") else {}
        made = call.client("ec2").create_nat_gateway(
            SubnetId=args["subnetId"],
            TagSpecifications=specification("natgateway", args["tagsAll"]),
            **to_aws(given, args),
            **address,
        )
        return str(made["NatGateway"]["NatGatewayId"])

    def configure(self, call: Call, id: str, args: Args) -> None:
        def available() -> bool | None:
            gateway = self._look(call, id) or {}
            call.progress(gateway.get("State", "unknown"))
            if gateway.get("State") == "failed":
                raise WaitError(f"the NAT gateway failed: {gateway.get('FailureMessage')}")
            return gateway.get("State") == "available" or None

        call.wait(available, "the NAT gateway to be available", 600)

    def _look(self, call: Call, id: str) -> dict[str, Any] | None:
        found = call.client("ec2").describe_nat_gateways(NatGatewayIds=[id])["NatGateways"]
        return found[0] if found and found[0]["State"] != "deleted" else None

    def read(self, call: Call, id: str, state: State) -> dict[str, Any] | None:
        gateway = self._look(call, id)
        if gateway is None:
            return None
        address = (gateway.get("NatGatewayAddresses") or [{}])[0]
        return {
            "subnetId": gateway["SubnetId"],
            "connectivityType": gateway.get("ConnectivityType", "public"),
            "allocationId": address.get("AllocationId"),
            "associationId": address.get("AssociationId"),
            "networkInterfaceId": address.get("NetworkInterfaceId"),
            "privateIp": address.get("PrivateIp"),
            "publicIp": address.get("PublicIp"),
            "tagsAll": from_pairs(gateway.get("Tags")),
        }

    def update(self, call: Call, id: str, old: State, new: Args, changed: frozenset[str]) -> None:
        retag_ec2(call.client("ec2"), id, old.get("tagsAll"), new["tagsAll"])

    def delete(self, call: Call, id: str, state: State) -> None:
        call.client("ec2").delete_nat_gateway(NatGatewayId=id)
        call.wait_gone(lambda: self._look(call, id), "the NAT gateway", 1800)

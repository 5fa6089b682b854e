"""VPC and subnets."""

from typing import Any

from localcloud.provider.call import Call
from localcloud.provider.resource import Args, Resource, State
from localcloud.provider.rules import cidr, identifier, one_of
from localcloud.provider.schema import TAGS, boolean, text
from localcloud.provider.tags import from_pairs, retag_ec2, specification

BUSY = ("DependencyViolation",)


class Vpc(Resource):
    token = "aws:ec2/vpc:Vpc"
    inputs = {
        "cidrBlock": text(cidr(16, 28), required=True, replace=True),
        "enableDnsHostnames": boolean(computed=True),
        "enableDnsSupport": boolean(default=True),
        "enableNetworkAddressUsageMetrics": boolean(computed=True),
        "instanceTenancy": text(one_of("default", "dedicated"), default="default", replace=True),
        **TAGS,
    }
    outputs = (
        "arn",
        "defaultNetworkAclId",
        "defaultRouteTableId",
        "defaultSecurityGroupId",
        "dhcpOptionsId",
        "mainRouteTableId",
        "ownerId",
    )

    def create(self, call: Call, args: Args) -> str:
        made = call.client("ec2").create_vpc(
            CidrBlock=args["cidrBlock"],
            InstanceTenancy=args["instanceTenancy"],
            TagSpecifications=specification("vpc", args["tagsAll"]),
        )
        return str(made["Vpc"]["VpcId"])

    def configure(self, call: Call, id: str, args: Args) -> None:
        client = call.client("ec2")

        def available() -> bool | None:
            state = client.describe_vpcs(VpcIds=[id])["Vpcs"][0]["State"]
            call.progress(state)
            return state == "available" or None

        call.wait(available, "the VPC to be available", 120)
        self._attributes(call, id, args)

    def _attributes(self, call: Call, id: str, args: Args) -> None:
        """One attribute per call is all that AWS takes; host names need support first."""
        modify = call.client("ec2").modify_vpc_attribute
        if args.get("enableDnsSupport") is not None:
            modify(VpcId=id, EnableDnsSupport={"Value": args["enableDnsSupport"]})
        if args.get("enableDnsHostnames") is not None:
            modify(VpcId=id, EnableDnsHostnames={"Value": args["enableDnsHostnames"]})
        if args.get("enableNetworkAddressUsageMetrics") is not None:
            modify(VpcId=id, EnableNetworkAddressUsageMetrics={"Value": args["enableNetworkAddressUsageMetrics"]})

    def read(self, call: Call, id: str, state: State) -> dict[str, Any] | None:
        client = call.client("ec2")
        vpc = client.describe_vpcs(VpcIds=[id])["Vpcs"][0]
        mine = [{"Name": "vpc-id", "Values": [id]}]
        default = [*mine, {"Name": "default", "Values": ["true"]}]
        main = [*mine, {"Name": "association.main", "Values": ["true"]}]
        named = [*mine, {"Name": "group-name", "Values": ["default"]}]
        acls = client.describe_network_acls(Filters=default)["NetworkAcls"]
        tables = client.describe_route_tables(Filters=main)["RouteTables"]
        groups = client.describe_security_groups(Filters=named)["SecurityGroups"]
        table = tables[0]["RouteTableId"] if tables else None
        return {
            "arn": f"arn:aws:ec2:{call.region}:{vpc['OwnerId']}:vpc/{id}",
            "cidrBlock": vpc["CidrBlock"],
            "instanceTenancy": vpc["InstanceTenancy"],
            "enableDnsSupport": _attribute(client, id, "enableDnsSupport"),
            "enableDnsHostnames": _attribute(client, id, "enableDnsHostnames"),
            "enableNetworkAddressUsageMetrics": _attribute(client, id, "enableNetworkAddressUsageMetrics"),
            "dhcpOptionsId": vpc.get("DhcpOptionsId"),
            "ownerId": vpc["OwnerId"],
            "defaultNetworkAclId": acls[0]["NetworkAclId"] if acls else None,
            "defaultRouteTableId": table,
            "mainRouteTableId": table,
            "defaultSecurityGroupId": groups[0]["GroupId"] if groups else None,
            "tagsAll": from_pairs(vpc.get("Tags")),
        }

    def update(self, call: Call, id: str, old: State, new: Args, changed: frozenset[str]) -> None:
        self._attributes(call, id, {name: new.get(name) for name in changed})
        retag_ec2(call.client("ec2"), id, old.get("tagsAll"), new["tagsAll"])

    def delete(self, call: Call, id: str, state: State) -> None:
        client = call.client("ec2")
        call.retry(lambda: client.delete_vpc(VpcId=id), BUSY, "the VPC is in use", 300)
        call.wait_gone(lambda: client.describe_vpcs(VpcIds=[id])["Vpcs"], "the VPC", 60)


def _attribute(client: Any, id: str, name: str) -> bool:
    answer = client.describe_vpc_attribute(VpcId=id, Attribute=name)
    return bool(answer[name[0].upper() + name[1:]]["Value"])


class Subnet(Resource):
    token = "aws:ec2/subnet:Subnet"
    inputs = {
        "vpcId": text(identifier("vpc"), required=True, replace=True),
        "cidrBlock": text(cidr(16, 28), required=True, replace=True),
        "availabilityZone": text(computed=True, replace=True),
        "availabilityZoneId": text(computed=True, replace=True),
        "mapPublicIpOnLaunch": boolean(default=False),
        "assignIpv6AddressOnCreation": boolean(default=False),
        **TAGS,
    }
    outputs = ("arn", "ownerId")

    def create(self, call: Call, args: Args) -> str:
        place = {"AvailabilityZone": args.get("availabilityZone"), "AvailabilityZoneId": args.get("availabilityZoneId")}
        made = call.client("ec2").create_subnet(
            VpcId=args["vpcId"],
            CidrBlock=args["cidrBlock"],
            TagSpecifications=specification("subnet", args["tagsAll"]),
            **{key: value for key, value in place.items() if value},
        )
        return str(made["Subnet"]["SubnetId"])

    def configure(self, call: Call, id: str, args: Args) -> None:
        client = call.client("ec2")
        look = client.describe_subnets
        call.wait(
            lambda: look(SubnetIds=[id])["Subnets"][0]["State"] == "available" or None, "the subnet to be available", 60
        )
        self._attributes(call, id, {name: value for name, value in args.items() if value})

    def _attributes(self, call: Call, id: str, args: Args) -> None:
        modify = call.client("ec2").modify_subnet_attribute
        if "mapPublicIpOnLaunch" in args:
            modify(SubnetId=id, MapPublicIpOnLaunch={"Value": bool(args["mapPublicIpOnLaunch"])})
        if "assignIpv6AddressOnCreation" in args:
            modify(SubnetId=id, AssignIpv6AddressOnCreation={"Value": bool(args["assignIpv6AddressOnCreation"])})

    def read(self, call: Call, id: str, state: State) -> dict[str, Any] | None:
        subnet = call.client("ec2").describe_subnets(SubnetIds=[id])["Subnets"][0]
        return {
            "arn": subnet["SubnetArn"],
            "ownerId": subnet["OwnerId"],
            "vpcId": subnet["VpcId"],
            "cidrBlock": subnet["CidrBlock"],
            "availabilityZone": subnet["AvailabilityZone"],
            "availabilityZoneId": subnet.get("AvailabilityZoneId"),
            "mapPublicIpOnLaunch": subnet["MapPublicIpOnLaunch"],
            "assignIpv6AddressOnCreation": subnet["AssignIpv6AddressOnCreation"],
            "tagsAll": from_pairs(subnet.get("Tags")),
        }

    def update(self, call: Call, id: str, old: State, new: Args, changed: frozenset[str]) -> None:
        self._attributes(call, id, {name: new.get(name) for name in changed})
        retag_ec2(call.client("ec2"), id, old.get("tagsAll"), new["tagsAll"])

    def delete(self, call: Call, id: str, state: State) -> None:
        client = call.client("ec2")
        call.retry(lambda: client.delete_subnet(SubnetId=id), BUSY, "the subnet is in use", 1200)
        call.wait_gone(lambda: client.describe_subnets(SubnetIds=[id])["Subnets"], "the subnet", 60)

"""VPC, subnets in three tiers, and the way out: what everything else lies in.

`ready` is what a node needs before it boots; Pulumi orders by data only, and a route is nobody's input.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Network

import pulumi
import pulumi_aws as aws

from infra.cidr import Tier
from infra.sections import Egress
from infra.settings import Settings

ANYWHERE = "0.0.0.0/0"


@dataclass(frozen=True, kw_only=True)
class NetworkArgs:
    settings: Settings


class Network(pulumi.ComponentResource):
    """Ids of subnets are in the order of the zones. `public` is what makes the public subnets public."""

    vpc_id: pulumi.Output[str]
    public_ids: Sequence[pulumi.Output[str]]
    private_ids: Sequence[pulumi.Output[str]]
    isolated_ids: Sequence[pulumi.Output[str]]
    private_table_ids: Sequence[pulumi.Output[str]]
    s3_prefix_list_id: pulumi.Output[str]
    public: pulumi.Resource
    ready: list[pulumi.Resource]

    def __init__(self, name: str, args: NetworkArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("slipway:network:Network", name, None, opts)
        settings = args.settings
        self._name = name
        self._child = pulumi.ResourceOptions(parent=self)
        self.ready = []
        vpc = aws.ec2.Vpc(
            f"{name}-vpc",
            cidr_block=str(settings.network.cidr),
            enable_dns_support=True,
            enable_dns_hostnames=True,
            tags={"Name": name},
            opts=self._child,
        )
        self.vpc_id = vpc.id
        zones = list(settings.subnets)
        subnets = {tier: self._subnets(tier, settings.subnets) for tier in Tier}
        self.public_ids, self.private_ids, self.isolated_ids = (
            [subnets[tier][zone].id for zone in zones] for tier in (Tier.PUBLIC, Tier.PRIVATE, Tier.ISOLATED)
        )
        public = self._tables("public", {"all": list(subnets[Tier.PUBLIC].values())})["all"]
        private = self._tables("private", {zone: [subnet] for zone, subnet in subnets[Tier.PRIVATE].items()})
        self._tables("isolated", {"all": list(subnets[Tier.ISOLATED].values())})
        self.private_table_ids = [table.id for table in private.values()]
        gateway = aws.ec2.InternetGateway(f"{name}-internet", vpc_id=vpc.id, tags={"Name": name}, opts=self._child)
        self.public = self._route("public", public, gateway_id=gateway.id)
        self._nat(settings.network.egress, private, subnets[Tier.PUBLIC], after=self.public)
        s3 = aws.ec2.VpcEndpoint(
            f"{name}-s3",
            vpc_id=vpc.id,
            service_name=f"com.amazonaws.{settings.region}.s3",
            vpc_endpoint_type="Gateway",
            route_table_ids=self.private_table_ids,
            tags={"Name": f"{name}-s3"},
            opts=self._child,
        )
        self.s3_prefix_list_id = s3.prefix_list_id
        self.ready.append(s3)
        self.register_outputs({"vpc_id": self.vpc_id})

    def _subnets(self, tier: Tier, ranges: Mapping[str, Mapping[Tier, IPv4Network]]) -> dict[str, aws.ec2.Subnet]:
        return {
            zone: aws.ec2.Subnet(
                f"{self._name}-{tier}-{zone}",
                vpc_id=self.vpc_id,
                availability_zone=zone,
                cidr_block=str(tiers[tier]),
                map_public_ip_on_launch=False,
                tags={"Name": f"{self._name}-{tier}-{zone}"},
                opts=self._child,
            )
            for zone, tiers in ranges.items()
        }

    def _tables(self, tier: str, subnets: Mapping[str, list[aws.ec2.Subnet]]) -> dict[str, aws.ec2.RouteTable]:
        tables = {}
        for key, members in subnets.items():
            label = f"{self._name}-{tier}" if key == "all" else f"{self._name}-{tier}-{key}"
            tables[key] = aws.ec2.RouteTable(label, vpc_id=self.vpc_id, tags={"Name": label}, opts=self._child)
            for subnet in members:
                association = aws.ec2.RouteTableAssociation(
                    subnet._name, subnet_id=subnet.id, route_table_id=tables[key].id, opts=self._child
                )
                self.ready.append(association)
        return tables

    def _nat(
        self,
        egress: Egress,
        tables: Mapping[str, aws.ec2.RouteTable],
        public: Mapping[str, aws.ec2.Subnet],
        after: aws.ec2.Route,
    ) -> None:
        """One gateway in the first zone, one in each, or none and then no route out of the private subnets."""
        if egress is Egress.NONE:
            return
        zones = list(public) if egress is Egress.NAT_PER_ZONE else list(public)[:1]
        gateways = {}
        for zone in zones:
            label = f"{self._name}-nat-{zone}"
            address = aws.ec2.Eip(label, domain="vpc", tags={"Name": label}, opts=self._child)
            gateways[zone] = aws.ec2.NatGateway(
                label,
                allocation_id=address.id,
                subnet_id=public[zone].id,
                tags={"Name": label},
                # An address serves one gateway at a time.
                opts=pulumi.ResourceOptions(parent=self, depends_on=[after], delete_before_replace=True),
            )
        for zone, table in tables.items():
            self._route(zone, table, nat_gateway_id=gateways.get(zone, gateways[zones[0]]).id)

    def _route(self, key: str, table: aws.ec2.RouteTable, **target: pulumi.Input[str]) -> aws.ec2.Route:
        route = aws.ec2.Route(
            f"{self._name}-{key}-out",
            route_table_id=table.id,
            destination_cidr_block=ANYWHERE,
            opts=self._child,
            **target,
        )
        self.ready.append(route)
        return route

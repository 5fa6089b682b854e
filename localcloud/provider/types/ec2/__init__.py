"""EC2: the network, its security groups, and what machines are made from."""

from localcloud.provider.types.ec2.association import RouteTableAssociation
from localcloud.provider.types.ec2.egress import Eip, InternetGateway, NatGateway
from localcloud.provider.types.ec2.endpoint import VpcEndpoint
from localcloud.provider.types.ec2.network import Subnet, Vpc
from localcloud.provider.types.ec2.routing import Route, RouteTable
from localcloud.provider.types.ec2.security import KeyPair, SecurityGroup
from localcloud.provider.types.ec2.template import LaunchTemplate

RESOURCES = (
    Eip,
    InternetGateway,
    KeyPair,
    LaunchTemplate,
    NatGateway,
    Route,
    RouteTable,
    RouteTableAssociation,
    SecurityGroup,
    Subnet,
    Vpc,
    VpcEndpoint,
)

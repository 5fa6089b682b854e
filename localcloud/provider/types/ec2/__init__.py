"""EC2: the network, its security groups, and what machines are made from."""

from localcloud.provider.types.ec2.network import InternetGateway, Subnet, Vpc
from localcloud.provider.types.ec2.security import KeyPair, SecurityGroup

RESOURCES = (InternetGateway, KeyPair, SecurityGroup, Subnet, Vpc)

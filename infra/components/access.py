"""How operators reach nodes: by public key, on AWS through an EC2 Instance Connect Endpoint, never from outside."""

from dataclasses import dataclass

import pulumi
import pulumi_aws as aws

from infra.components.firewall import Firewall
from infra.components.network import Network


@dataclass(frozen=True, kw_only=True)
class AccessArgs:
    """There is an endpoint when the firewall has a group for it."""

    public_key: str | None
    network: Network
    firewall: Firewall


class Access(pulumi.ComponentResource):
    key_name: pulumi.Output[str] | None
    authorized_keys: list[str]

    def __init__(self, name: str, args: AccessArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("slipway:access:Access", name, None, opts)
        child = pulumi.ResourceOptions(parent=self)
        self.key_name = None
        self.authorized_keys = [args.public_key] if args.public_key else []
        group = args.firewall.groups.get("connect")
        if args.public_key:
            key = aws.ec2.KeyPair(f"{name}-operator", public_key=args.public_key, tags={"Name": name}, opts=child)
            self.key_name = key.key_name
        if group is not None:
            aws.ec2transitgateway.InstanceConnectEndpoint(
                f"{name}-connect",
                subnet_id=args.network.private_ids[0],
                security_group_ids=[group],
                preserve_client_ip=False,
                tags={"Name": f"{name}-connect"},
                opts=pulumi.ResourceOptions(parent=self, delete_before_replace=True),  # a network has one at most
            )
        self.register_outputs({"key_name": self.key_name})

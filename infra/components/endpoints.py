"""Interface endpoints: how nodes reach AWS's services when the network has no way out."""

from dataclasses import dataclass

import pulumi
import pulumi_aws as aws

from infra.components.firewall import Firewall
from infra.components.network import Network
from infra.settings import Settings

SERVICES = ("ssm", "secretsmanager")
"""What nodes call besides S3, which has its gateway. Each costs by zone and hour."""
FOR_THE_WATCHER = ("ec2",)
"""Where nodes are, and their consoles."""
FOR_JOBS = ("monitoring",)
"""How many of them wait."""

FOR_WORKERS = ("autoscaling",)
"""Worker nodes tell their group when they are ready."""


@dataclass(frozen=True, kw_only=True)
class EndpointsArgs:
    """Unless the firewall has a group for them there are no endpoints: the network has another way out."""

    settings: Settings
    network: Network
    firewall: Firewall


class Endpoints(pulumi.ComponentResource):
    ready: list[pulumi.Resource]

    def __init__(self, name: str, args: EndpointsArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("slipway:network:Endpoints", name, None, opts)
        group = args.firewall.groups.get("endpoints")
        settings = args.settings
        self.ready = [
            aws.ec2.VpcEndpoint(
                f"{name}-{service}",
                vpc_id=args.network.vpc_id,
                service_name=f"com.amazonaws.{settings.region}.{service}",
                vpc_endpoint_type="Interface",
                private_dns_enabled=True,
                subnet_ids=args.network.private_ids,
                security_group_ids=[group],
                tags={"Name": f"{name}-{service}"},
                opts=pulumi.ResourceOptions(parent=self),
            )
            for service in (
                *SERVICES,
                *(FOR_THE_WATCHER if settings.delivery.follow_alias else ()),
                *(FOR_JOBS if settings.jobs.enabled else ()),
                *(FOR_WORKERS if settings.jobs.on_workers else ()),
            )
            if group is not None
        ]
        self.register_outputs({})

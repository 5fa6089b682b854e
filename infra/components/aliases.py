"""The names that point at the balancer."""

from dataclasses import dataclass

import pulumi
import pulumi_aws as aws

from infra import addresses
from infra.components.balancer import Balancer
from infra.settings import Settings


@dataclass(frozen=True, kw_only=True)
class AliasesArgs:
    settings: Settings
    balancer: Balancer


class Aliases(pulumi.ComponentResource):
    """Points each name at the balancer; without a zone that is somebody else's task."""

    def __init__(self, name: str, args: AliasesArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("slipway:domain:Aliases", name, None, opts)
        zone_id = args.settings.domain.zone_id
        for host in addresses.host_names(args.settings) if zone_id else ():
            aws.route53.Record(
                f"{name}-{host}",
                zone_id=zone_id,
                name=host,
                type="A",
                aliases=[
                    {
                        "name": args.balancer.dns_name,
                        "zone_id": args.balancer.zone_id,
                        "evaluate_target_health": False,
                    }
                ],
                opts=pulumi.ResourceOptions(parent=self),
            )
        self.register_outputs({})

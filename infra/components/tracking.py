"""The MLflow server's node: a group of one, that heals itself since all its state is in the database and the bucket."""

from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import IPv4Network
from typing import Any

import pulumi

from infra import addresses, policies
from infra.components.balancer import Balancer
from infra.components.database import Database
from infra.components.firewall import Firewall
from infra.components.node_group import NodeGroup, NodeGroupArgs, Site, Size
from infra.components.parameters import Parameters
from infra.components.releases import Releases
from infra.delivery import DeliverySettings
from infra.exposure import MlflowSettings
from infra.sections import TrackingSettings

# The second place is for the successor, which starts before its predecessor ends.
ONE = Size(minimum=1, desired=1, maximum=2)


@dataclass(frozen=True, kw_only=True)
class TrackingArgs:
    """`asked_from`: whose addresses nodes ask MLflow by; None, and no other node does. `orders`: whether it carries out
    what is pushed to the pipeline node."""

    site: Site
    settings: TrackingSettings
    parameters: Parameters
    database: Database
    releases: Releases
    mlflow: MlflowSettings
    delivery: DeliverySettings
    url: pulumi.Input[str]
    asked_from: IPv4Network | None
    orders: bool
    firewall: Firewall
    balancer: Balancer
    hooks: pulumi.ResourceHookBinding


class Tracking(pulumi.ComponentResource):
    group_name: pulumi.Output[str]

    def __init__(self, name: str, args: TrackingArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("slipway:nodes:Tracking", name, None, opts)
        database, parameters = args.database, args.parameters
        facts = {
            "deployment_parameter": parameters.deployment_name,
            "tracking_parameter": parameters.tracking_name,
            "watcher_key_parameter": parameters.watcher_key_name,
            "watcher_secret_arn": parameters.watcher_secret_arn,
            "control_release": args.settings.control_release or args.releases.control_digest,
            "delivery": parameters.delivery,
            "url": args.url,
            "orders": args.orders,
            **database.facts,
            "mlflow_admin_secret_arn": parameters.admin_secret_arn,
            "mlflow_allowed_hosts": args.balancer.dns_name.apply(lambda dns: _hosts(args, dns)),
        }
        arns = pulumi.Output.all(
            args.site.storage.arn, parameters.tracking_arn, database.secret_arn, parameters.admin_secret_arn
        )
        watcher = pulumi.Output.all(
            args.site.storage.arn,
            parameters.deployment_arn,
            parameters.watcher_key_arn,
            parameters.watcher_secret_arn,
            parameters.webhook_arn,
        )
        policy = pulumi.Output.all(arns, watcher).apply(
            lambda known: policies.tracking(*known[0], delivers=_delivers(args, known[1]))
        )
        nodes = NodeGroup(
            f"{name}-tracking",
            NodeGroupArgs(
                site=args.site,
                role="tracking",
                settings=args.settings.node,
                size=ONE,
                facts=facts,
                policy=policy,
                security_group_id=args.firewall.groups["tracking"],
                target_group_arn=args.balancer.group_arns["tracking"],
                hooks=args.hooks,
            ),
            pulumi.ResourceOptions(parent=self),
        )
        self.group_name = nodes.group_name
        self.register_outputs({"group_name": self.group_name})


def _hosts(args: TrackingArgs, dns: str) -> list[str]:
    own = [addresses.inside(args.asked_from)] if args.asked_from else []
    return [*addresses.mlflow_hosts(args.mlflow, dns), *own]


def _delivers(args: TrackingArgs, arns: Sequence[Any]) -> list[policies.Statement]:
    """Without an alias to follow, the tracking node delivers nothing."""
    if not args.delivery.follow_alias:
        return []
    *own, webhook = arns
    builds = args.delivery.build_releases
    return policies.watcher(args.site.stack, *own, webhook_arn=webhook, builds=builds, orders=args.orders)

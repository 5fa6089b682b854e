"""The serving nodes. What they run is a deployment, named by the pointer: no release is in their template."""

from dataclasses import dataclass

import pulumi

from infra import policies
from infra.components.balancer import Balancer
from infra.components.firewall import Firewall
from infra.components.jobs import Jobs
from infra.components.node_group import NodeGroup, NodeGroupArgs, Site, Size
from infra.components.parameters import Parameters
from infra.components.scaling import Scaling, ScalingArgs
from infra.sections import FleetSettings

MIB = 2**20


@dataclass(frozen=True, kw_only=True)
class FleetArgs:
    """`jobs` is None where there are no asynchronous predictions."""

    site: Site
    settings: FleetSettings
    parameters: Parameters
    firewall: Firewall
    balancer: Balancer
    jobs: Jobs | None
    hooks: pulumi.ResourceHookBinding


class Fleet(pulumi.ComponentResource):
    group_name: pulumi.Output[str]

    def __init__(self, name: str, args: FleetArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("slipway:nodes:Fleet", name, None, opts)
        settings, log, jobs = args.settings, args.settings.prediction_log, args.jobs
        parameters = args.parameters
        arns = pulumi.Output.all(args.site.storage.arn, parameters.deployment_arn, parameters.watcher_key_arn)
        grants = pulumi.Output.all(arns, jobs.takes_part(args.site.storage.arn) if jobs else [])
        nodes = NodeGroup(
            f"{name}-serving",
            NodeGroupArgs(
                site=args.site,
                role="serving",
                settings=settings.node,
                size=Size(
                    minimum=settings.minimum,
                    desired=settings.desired,
                    maximum=settings.maximum,
                    owned_elsewhere=settings.autoscaling,
                ),
                facts={
                    "deployment_parameter": parameters.deployment_name,
                    "watcher_key_parameter": parameters.watcher_key_name,
                    "prediction_log": {"share": log.share, "daily_bytes": log.daily_mib * MIB},
                    "jobs": jobs.facts if jobs else None,
                },
                policy=grants.apply(
                    lambda known: policies.serving(*known[0], logs_predictions=log.is_on, jobs=known[1])
                ),
                security_group_id=args.firewall.groups["serving"],
                target_group_arn=args.balancer.group_arns["serving"],
                hooks=args.hooks,
            ),
            pulumi.ResourceOptions(parent=self),
        )
        self.group_name = nodes.group_name
        if settings.autoscaling:
            aim = ScalingArgs(settings=settings, group_name=self.group_name, balancer=args.balancer)
            Scaling(f"{name}-serving", aim, pulumi.ResourceOptions(parent=self))
        self.register_outputs({"group_name": self.group_name})

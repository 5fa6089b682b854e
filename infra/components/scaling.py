"""How many serving nodes: a target-tracking policy on the requests that the balancer sends to each of them in a minute.

Requests per target is the one measure of load that halves when the nodes double, and that AWS has of itself, with no
agent on a node. Processor time is not: a server that batches uses all of it long before it is full. Nothing else is
needed for a clean end: a group with a target group waits for the deregistration delay before it ends a node.
"""

from dataclasses import dataclass

import pulumi
import pulumi_aws as aws

from infra.components.balancer import Balancer
from infra.sections import FleetSettings

METRIC = "ALBRequestCountPerTarget"


@dataclass(frozen=True, kw_only=True)
class ScalingArgs:
    settings: FleetSettings
    group_name: pulumi.Input[str]
    balancer: Balancer


class Scaling(pulumi.ComponentResource):
    def __init__(self, name: str, args: ScalingArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("slipway:nodes:Scaling", name, None, opts)
        label = pulumi.Output.concat(args.balancer.suffix, "/", args.balancer.group_suffixes["serving"])
        aws.autoscaling.Policy(
            name,
            autoscaling_group_name=args.group_name,
            policy_type="TargetTrackingScaling",
            # No warm-up of its own: the group's is the one that its refresh and its health go by too.
            target_tracking_configuration={
                "predefined_metric_specification": {"predefined_metric_type": METRIC, "resource_label": label},
                "target_value": float(args.settings.requests_per_minute),
                "disable_scale_in": not args.settings.scale_in,
            },
            opts=pulumi.ResourceOptions(parent=self),
        )
        self.register_outputs({})

"""How many nodes: a target-tracking policy on what each of them has to do, which halves when they double.

Serving nodes: the requests that the balancer sends to each of them in a minute, which AWS counts by itself, with no
agent on a node. Processor time is not such a measure: a server that batches uses all of it long before it is full.
Worker nodes: the jobs that wait, as the broker's node counts them, divided by the nodes in service. AWS's own words for
that are "backlog per instance": https://docs.aws.amazon.com/autoscaling/ec2/userguide/as-using-sqs-queue.html
Nothing else is needed for a clean end: a group with a target group waits for the deregistration delay before it ends a
node, and a worker that is told to end gives back what it has not begun.
"""

from dataclasses import dataclass
from typing import Any

import pulumi
import pulumi_aws as aws

from contract import METRICS
from infra.components.balancer import Balancer
from infra.jobs import WorkerSettings
from infra.sections import FleetSettings

METRIC = "ALBRequestCountPerTarget"

Configuration = dict[str, Any]


@dataclass(frozen=True)
class ScalingArgs:
    """`aim` is the policy's configuration: `requests` or `backlog`."""

    group_name: pulumi.Input[str]
    aim: Configuration


class Scaling(pulumi.ComponentResource):
    def __init__(self, name: str, args: ScalingArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("slipway:nodes:Scaling", name, None, opts)
        aws.autoscaling.Policy(
            name,
            autoscaling_group_name=args.group_name,
            policy_type="TargetTrackingScaling",
            # No warm-up of its own: the group's is the one that its refresh and its health go by too.
            target_tracking_configuration=args.aim,
            opts=pulumi.ResourceOptions(parent=self),
        )
        self.register_outputs({})


def requests(settings: FleetSettings, balancer: Balancer) -> Configuration:
    label = pulumi.Output.concat(balancer.suffix, "/", balancer.group_suffixes["serving"])
    return {
        "predefined_metric_specification": {"predefined_metric_type": METRIC, "resource_label": label},
        "target_value": float(settings.requests_per_minute),
        "disable_scale_in": not settings.scale_in,
    }


def backlog(settings: WorkerSettings, stack: str, group_name: pulumi.Input[str]) -> Configuration:
    """Both metrics come each minute, while the broker lives: without them the number stays as it is."""
    queued = _metric(METRICS.namespace, METRICS.jobs_queued, METRICS.stack, stack)
    nodes = _metric("AWS/AutoScaling", "GroupInServiceInstances", "AutoScalingGroupName", group_name)
    return {
        "customized_metric_specification": {
            "metrics": [
                {"id": "queued", "metric_stat": queued, "return_data": False},
                {"id": "nodes", "metric_stat": nodes, "return_data": False},
                {"id": "each", "expression": "queued / nodes", "label": "Waiting jobs for each node"},
            ],
        },
        "target_value": float(settings.backlog),
        "disable_scale_in": False,
    }


def _metric(namespace: str, name: str, dimension: str, value: pulumi.Input[str]) -> dict[str, Any]:
    metric = {"namespace": namespace, "metric_name": name, "dimensions": [{"name": dimension, "value": value}]}
    return {"metric": metric, "stat": "Average"}

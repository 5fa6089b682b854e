"""The nodes that run the model server: those that answer the balancer, and those that only work on jobs.

What they run is a deployment, named by the pointer: no release is in their template. A worker node differs from a
serving one in that nobody but operators and rollouts opens a connection to it, and that it says by itself when it is
ready.
"""

from dataclasses import dataclass

import pulumi

from contract.node_files import Role
from infra import policies
from infra.components import scaling
from infra.components.balancer import Balancer
from infra.components.firewall import Firewall
from infra.components.jobs import Jobs
from infra.components.node_group import NodeGroup, NodeGroupArgs, Site, Size
from infra.components.parameters import Parameters
from infra.jobs import WorkerSettings
from infra.sections import FleetSettings, PredictionLogSettings

MIB = 2**20
LAUNCH_HOOK = "ready"
TYPES = {"serving": "slipway:nodes:Fleet", "worker": "slipway:nodes:Workers"}


@dataclass(frozen=True, kw_only=True)
class FleetArgs:
    """Of serving nodes or of worker nodes, as the settings are. `jobs` is None where there are no asynchronous
    predictions; `works`: these nodes work on them, on `concurrency` at a time (0: as each of them decides).
    """

    site: Site
    settings: FleetSettings | WorkerSettings
    prediction_log: PredictionLogSettings
    parameters: Parameters
    firewall: Firewall
    balancer: Balancer
    jobs: Jobs | None
    works: bool
    concurrency: int
    hooks: pulumi.ResourceHookBinding

    @property
    def role(self) -> Role:
        return "worker" if isinstance(self.settings, WorkerSettings) else "serving"


class Fleet(pulumi.ComponentResource):
    group_name: pulumi.Output[str]

    def __init__(self, name: str, args: FleetArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__(TYPES[args.role], name, None, opts)
        settings, label = args.settings, f"{name}-{args.role}"
        worker = args.role == "worker"
        nodes = NodeGroup(
            label,
            NodeGroupArgs(
                site=args.site,
                role=args.role,
                settings=settings.node,
                size=Size(
                    minimum=settings.minimum,
                    desired=settings.desired,
                    maximum=settings.maximum,
                    owned_elsewhere=settings.autoscaling,
                ),
                facts=_facts(args) | ({"launch_hook": LAUNCH_HOOK} if worker else {}),
                policy=_policy(args, launched_as=label if worker else None),
                security_group_id=args.firewall.groups[args.role],
                target_group_arn=None if worker else args.balancer.group_arns["serving"],
                hooks=args.hooks,
                launch_hook=LAUNCH_HOOK if worker else None,
            ),
            pulumi.ResourceOptions(parent=self),
        )
        self.group_name = nodes.group_name
        if settings.autoscaling:
            aim = (
                scaling.backlog(settings, args.site.stack, self.group_name)
                if isinstance(settings, WorkerSettings)
                else scaling.requests(settings, args.balancer)
            )
            scaling.Scaling(label, scaling.ScalingArgs(self.group_name, aim), pulumi.ResourceOptions(parent=self))
        self.register_outputs({"group_name": self.group_name})


def _facts(args: FleetArgs) -> dict[str, pulumi.Input[object]]:
    log = args.prediction_log
    return {
        "deployment_parameter": args.parameters.deployment_name,
        "watcher_key_parameter": args.parameters.watcher_key_name,
        "prediction_log": {"share": log.share, "daily_bytes": log.daily_mib * MIB},
        "jobs": {**args.jobs.facts, "works": args.works, "concurrency": args.concurrency} if args.jobs else None,
    }


def _policy(args: FleetArgs, launched_as: str | None) -> pulumi.Output[str]:
    parameters, bucket_arn = args.parameters, args.site.storage.arn
    arns = pulumi.Output.all(bucket_arn, parameters.deployment_arn, parameters.watcher_key_arn)
    jobs: pulumi.Input[list[policies.Statement]] = args.jobs.takes_part(bucket_arn) if args.jobs else []
    own = policies.launched(launched_as) if launched_as else []
    return pulumi.Output.all(arns, jobs).apply(
        lambda known: policies.serving(*known[0], logs_predictions=args.prediction_log.is_on, jobs=[*known[1], *own])
    )

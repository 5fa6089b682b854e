"""The pipeline node: Airflow, and what its tasks run. A group of one that heals itself: its state is in the database.

A training moves an alias in MLflow, and a release that is pushed here becomes an order. The watcher rolls out, so this
node may change nothing that is served. No balancer asks after it: its group goes by EC2's own checks, and `pulumi up`
by the address that it announces.
"""

from dataclasses import dataclass

import pulumi

from infra import addresses, policies
from infra.components.balancer import Balancer
from infra.components.database import Database
from infra.components.firewall import Firewall
from infra.components.node_group import NodeGroup, NodeGroupArgs, Site
from infra.components.parameters import Parameters
from infra.components.pipeline import Pipeline
from infra.components.tracking import ONE
from infra.exposure import MlflowSettings
from infra.sections import NodeSettings


@dataclass(frozen=True, kw_only=True)
class PipelineNodeArgs:
    site: Site
    settings: NodeSettings
    mlflow: MlflowSettings
    orders: bool
    balancer: Balancer
    pipeline: Pipeline
    parameters: Parameters
    database: Database
    firewall: Firewall
    hooks: pulumi.ResourceHookBinding


class PipelineNode(pulumi.ComponentResource):
    group_name: pulumi.Output[str]

    def __init__(self, name: str, args: PipelineNodeArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("slipway:nodes:PipelineNode", name, None, opts)
        database, parameters, pipeline = args.database, args.parameters, args.pipeline
        facts = {
            "deployment_parameter": parameters.deployment_name,
            "watcher_key_parameter": None,
            "tracking_parameter": parameters.tracking_name,
            "mlflow_admin_secret_arn": parameters.admin_secret_arn,
            "mlflow_url": args.balancer.dns_name.apply(lambda dns: addresses.mlflow_url(args.mlflow, dns)),
            "delivery": parameters.delivery,
            "pipeline": pipeline.facts,
            **database.facts,
        }
        arns = pulumi.Output.all(
            webhook_arn=parameters.webhook_arn,
            bucket_arn=args.site.storage.arn,
            tracking_arn=parameters.tracking_arn,
            address_arn=pipeline.address_arn,
            secret_arn=pipeline.secret_arn,
            master_arn=database.secret_arn,
            admin_arn=parameters.admin_secret_arn,
        )
        nodes = NodeGroup(
            f"{name}-pipeline",
            NodeGroupArgs(
                site=args.site,
                role="pipeline",
                settings=args.settings,
                size=ONE,
                facts=facts,
                policy=arns.apply(lambda known: policies.pipeline(**known, orders=args.orders)),
                security_group_id=args.firewall.groups["pipeline"],
                target_group_arn=None,
                hooks=args.hooks,
            ),
            pulumi.ResourceOptions(parent=self),
        )
        self.group_name = nodes.group_name
        self.register_outputs({"group_name": self.group_name})

"""The broker's node: a group of one, that may be lost with its disk, since the database has every job.

No balancer asks after it: its group goes by EC2's own checks, and `pulumi up` by the address that it announces.
"""

from dataclasses import dataclass

import pulumi

from infra import policies
from infra.components.database import Database
from infra.components.firewall import Firewall
from infra.components.jobs import Jobs
from infra.components.node_group import NodeGroup, NodeGroupArgs, Site
from infra.components.parameters import Parameters
from infra.components.tracking import ONE
from infra.sections import NodeSettings


@dataclass(frozen=True, kw_only=True)
class BrokerArgs:
    site: Site
    settings: NodeSettings
    jobs: Jobs
    parameters: Parameters
    database: Database
    firewall: Firewall
    hooks: pulumi.ResourceHookBinding


class Broker(pulumi.ComponentResource):
    group_name: pulumi.Output[str]

    def __init__(self, name: str, args: BrokerArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("slipway:nodes:Broker", name, None, opts)
        database, jobs = args.database, args.jobs
        facts = {
            "deployment_parameter": args.parameters.deployment_name,
            "watcher_key_parameter": None,
            "jobs": jobs.facts,
            **database.facts,
        }
        arns = pulumi.Output.all(
            args.site.storage.arn,
            jobs.address_arn,
            jobs.broker_secret_arn,
            jobs.database_secret_arn,
            database.secret_arn,
        )
        nodes = NodeGroup(
            f"{name}-broker",
            NodeGroupArgs(
                site=args.site,
                role="broker",
                settings=args.settings,
                size=ONE,
                facts=facts,
                policy=arns.apply(lambda known: policies.broker(*known)),
                security_group_id=args.firewall.groups["broker"],
                target_group_arn=None,
                hooks=args.hooks,
            ),
            pulumi.ResourceOptions(parent=self),
        )
        self.group_name = nodes.group_name
        self.register_outputs({"group_name": self.group_name})

"""What asynchronous predictions keep between nodes: the broker's address and the secrets, all written by its node.

Like the parameters they outlive every node, and the program gives them no value that is a secret.
"""

from dataclasses import dataclass
from typing import Any

import pulumi

from contract import PARAMETERS, SECRETS, parameter
from infra import policies
from infra.components.parameters import add_parameter, add_secret
from infra.components.releases import Releases
from infra.settings import Settings

GENERATED = "; the broker node generates it"


@dataclass(frozen=True, kw_only=True)
class JobsArgs:
    settings: Settings
    releases: Releases


class Jobs(pulumi.ComponentResource):
    """`facts` are what a node that takes part is told. `ready` is what must exist before such a node boots."""

    address_name: str
    address_arn: pulumi.Output[str]
    broker_secret_arn: pulumi.Output[str]
    database_secret_arn: pulumi.Output[str]
    facts: dict[str, pulumi.Input[Any]]
    ready: list[pulumi.Resource]

    def __init__(self, name: str, args: JobsArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("slipway:jobs:Jobs", name, None, opts)
        settings = args.settings
        self.address_name = parameter(settings.stack, PARAMETERS.broker_address)
        label = f"{name}-{PARAMETERS.broker_address}"
        address = add_parameter(self, label, self.address_name, "Private address of the broker node")
        days = settings.secret_recovery_days
        broker = add_secret(self, f"{name}-{SECRETS.broker}", f"Login at the broker{GENERATED}", days)
        jobs = f"Login at the database of jobs{GENERATED}"
        database = add_secret(self, f"{name}-{SECRETS.jobs_database}", jobs, days)
        self.address_arn, self.broker_secret_arn, self.database_secret_arn = address.arn, broker.arn, database.arn
        self.ready = [address, broker, database]
        self.facts = {
            "release": settings.jobs.release or args.releases.digests["jobs"],
            "broker_parameter": self.address_name,
            "broker_secret_arn": broker.arn,
            "database_secret_arn": database.arn,
            "limits": settings.jobs.limits(),
        }
        self.register_outputs({"address_name": self.address_name})

    def takes_part(self, bucket_arn: pulumi.Output[str]) -> pulumi.Output[list[policies.Statement]]:
        """What a node may that accepts jobs or works on them."""
        known = pulumi.Output.all(bucket_arn, self.address_arn, self.broker_secret_arn, self.database_secret_arn)
        return known.apply(lambda arns: policies.takes_part_in_jobs(*arns))

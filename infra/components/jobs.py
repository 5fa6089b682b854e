"""What asynchronous predictions keep between nodes: the broker's address and the secrets, all written by its node.

Like the parameters they outlive every node, and the program gives them no value that is a secret.
"""

from dataclasses import dataclass
from typing import Any

import pulumi
import pulumi_aws as aws

from contract import PARAMETERS, SECRETS, parameter
from infra import policies
from infra.components.parameters import NOTHING_YET, OWNED_AT_RUNTIME
from infra.components.releases import Releases
from infra.settings import Settings


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
        address = aws.ssm.Parameter(
            label,
            name=self.address_name,
            type="String",
            value=NOTHING_YET,
            description="Private address of the broker node",
            tags={"Name": label},
            opts=pulumi.ResourceOptions(parent=self, ignore_changes=OWNED_AT_RUNTIME),
        )
        broker = self._secret(f"{name}-{SECRETS.broker}", "Login at the broker", settings.secret_recovery_days)
        database = self._secret(
            f"{name}-{SECRETS.jobs_database}", "Login at the database of jobs", settings.secret_recovery_days
        )
        self.address_arn, self.broker_secret_arn, self.database_secret_arn = address.arn, broker.arn, database.arn
        self.ready = [address, broker, database]
        self.facts = {
            "release": settings.jobs.release or args.releases.jobs_digest,
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

    def _secret(self, label: str, what: str, recovery_days: int) -> aws.secretsmanager.Secret:
        return aws.secretsmanager.Secret(
            label,
            description=f"{what}; the broker node generates it",
            recovery_window_in_days=recovery_days,
            tags={"Name": label},
            opts=pulumi.ResourceOptions(parent=self),
        )

"""The pointer to the current deployment, and what nodes need to find each other.

The program gives first values only: the pointer belongs to rollouts, the address to the tracking node.
"""

from dataclasses import dataclass

import pulumi
import pulumi_aws as aws

from contract import PARAMETERS, SECRETS, parameter
from infra.settings import Settings

OWNED_AT_RUNTIME = ["value", "insecureValue"]
NO_ADDRESS_YET = "pending"


@dataclass(frozen=True, kw_only=True)
class ParametersArgs:
    settings: Settings


class Parameters(pulumi.ComponentResource):
    deployment_name: str
    deployment_arn: pulumi.Output[str]
    tracking_name: str
    tracking_arn: pulumi.Output[str]
    admin_secret_arn: pulumi.Output[str]
    ready: list[pulumi.Resource]

    def __init__(self, name: str, args: ParametersArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("slipway:parameters:Parameters", name, None, opts)
        stack = args.settings.stack
        self.deployment_name = parameter(stack, PARAMETERS.deployment)
        self.tracking_name = parameter(stack, PARAMETERS.tracking_address)
        deployment = self._parameter(
            f"{name}-deployment",
            self.deployment_name,
            args.settings.bootstrap.deployment.identity,
            "Id of the current deployment",
        )
        tracking = self._parameter(
            f"{name}-tracking-address", self.tracking_name, NO_ADDRESS_YET, "Private address of the tracking node"
        )
        secret = aws.secretsmanager.Secret(
            f"{name}-{SECRETS.mlflow_admin}",
            description="MLflow's administrator; the tracking node generates it",
            recovery_window_in_days=args.settings.secret_recovery_days,
            tags={"Name": f"{name}-{SECRETS.mlflow_admin}"},
            opts=pulumi.ResourceOptions(parent=self),
        )
        self.deployment_arn, self.tracking_arn, self.admin_secret_arn = deployment.arn, tracking.arn, secret.arn
        self.ready = [deployment, tracking, secret]
        self.register_outputs({"deployment_name": self.deployment_name, "admin_secret_arn": self.admin_secret_arn})

    def _parameter(self, label: str, path: str, first: str, description: str) -> aws.ssm.Parameter:
        return aws.ssm.Parameter(
            label,
            name=path,
            type="String",
            value=first,
            description=description,
            tags={"Name": label},
            opts=pulumi.ResourceOptions(parent=self, ignore_changes=OWNED_AT_RUNTIME),
        )

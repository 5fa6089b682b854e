"""The pointer to the current deployment, and what nodes need to find each other.

The program gives first values only: the pointer belongs to rollouts, the address and the watcher's key to the tracking
node. Secrets are made empty, so that no state of the program holds any.
"""

from dataclasses import dataclass
from typing import Any

import pulumi
import pulumi_aws as aws

from contract import PARAMETERS, SECRETS, parameter
from infra.settings import Settings

OWNED_AT_RUNTIME = ["value", "insecureValue"]
NOTHING_YET = "pending"
GENERATED = "; the tracking node generates it"


@dataclass(frozen=True, kw_only=True)
class ParametersArgs:
    settings: Settings


class Parameters(pulumi.ComponentResource):
    """What belongs to the watcher is None where no alias is followed."""

    deployment_name: str
    deployment_arn: pulumi.Output[str]
    tracking_name: str
    tracking_arn: pulumi.Output[str]
    admin_secret_arn: pulumi.Output[str]
    watcher_key_name: str | None
    watcher_key_arn: pulumi.Output[str | None]
    watcher_secret_arn: pulumi.Output[str | None]
    webhook_arn: pulumi.Output[str | None]
    delivery: dict[str, Any]
    """What those who roll out go by: the settings, and the secret that holds the chat's address."""
    ready: list[pulumi.Resource]

    def __init__(self, name: str, args: ParametersArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("slipway:parameters:Parameters", name, None, opts)
        stack = args.settings.stack
        self.deployment_name = parameter(stack, PARAMETERS.deployment)
        self.tracking_name = parameter(stack, PARAMETERS.tracking_address)
        deployment = add_parameter(
            self,
            f"{name}-deployment",
            self.deployment_name,
            "Id of the current deployment",
            args.settings.bootstrap.deployment.identity,
        )
        tracking = add_parameter(
            self, f"{name}-tracking-address", self.tracking_name, "Private address of the tracking node"
        )
        days = args.settings.secret_recovery_days
        secret = add_secret(self, f"{name}-{SECRETS.mlflow_admin}", f"MLflow's administrator{GENERATED}", days)
        self.deployment_arn, self.tracking_arn, self.admin_secret_arn = deployment.arn, tracking.arn, secret.arn
        self.ready = [deployment, tracking, secret]
        self.watcher_key_name = None
        self.watcher_key_arn = self.watcher_secret_arn = pulumi.Output.from_input(None)
        if args.settings.delivery.follow_alias:
            self.watcher_key_name = parameter(stack, PARAMETERS.watcher_key)
            key = add_parameter(
                self, f"{name}-{PARAMETERS.watcher_key}", self.watcher_key_name, "Public SSH key of the watcher"
            )
            private = add_secret(
                self, f"{name}-{SECRETS.watcher_key}", f"Private SSH key of the watcher{GENERATED}", days
            )
            self.watcher_key_arn, self.watcher_secret_arn = key.arn, private.arn
            self.ready += [key, private]
        self.webhook_arn = pulumi.Output.from_input(None)
        if args.settings.delivery.webhook:
            chat = add_secret(
                self, f"{name}-{SECRETS.webhook}", "Address of a chat's webhook; an operator fills it", days
            )
            self.webhook_arn = chat.arn
            self.ready.append(chat)
        self.delivery = {**args.settings.delivery.output(), "webhook_secret_arn": self.webhook_arn}
        self.register_outputs({"deployment_name": self.deployment_name, "admin_secret_arn": self.admin_secret_arn})


def add_secret(parent: pulumi.Resource, label: str, what: str, recovery_days: int) -> aws.secretsmanager.Secret:
    """A secret without a value: who owns it at run time gives it one."""
    return aws.secretsmanager.Secret(
        label,
        description=what,
        recovery_window_in_days=recovery_days,
        tags={"Name": label},
        opts=pulumi.ResourceOptions(parent=parent),
    )


def add_parameter(
    parent: pulumi.Resource, label: str, path: str, what: str, first: str = NOTHING_YET
) -> aws.ssm.Parameter:
    """A parameter with its first value, which later runs of the program leave alone."""
    return aws.ssm.Parameter(
        label,
        name=path,
        type="String",
        value=first,
        description=what,
        tags={"Name": label},
        opts=pulumi.ResourceOptions(parent=parent, ignore_changes=OWNED_AT_RUNTIME),
    )

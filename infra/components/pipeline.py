"""What the pipeline node keeps outside itself: its address and its secret, both written by the node.

Like the parameters they outlive every node, and the program gives them no value that is a secret.
"""

from dataclasses import dataclass
from typing import Any

import pulumi

from contract import PARAMETERS, SECRETS, parameter
from infra.components.parameters import add_parameter, add_secret
from infra.components.releases import Releases
from infra.settings import Settings


@dataclass(frozen=True, kw_only=True)
class PipelineArgs:
    settings: Settings
    releases: Releases


class Pipeline(pulumi.ComponentResource):
    """`facts` are what the node is told. `ready` is what must exist before it boots."""

    address_name: str
    address_arn: pulumi.Output[str]
    secret_arn: pulumi.Output[str]
    facts: dict[str, pulumi.Input[Any]]
    ready: list[pulumi.Resource]

    def __init__(self, name: str, args: PipelineArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("slipway:pipeline:Pipeline", name, None, opts)
        settings, uploaded = args.settings, args.releases.digests
        self.address_name = parameter(settings.stack, PARAMETERS.pipeline_address)
        label = f"{name}-{PARAMETERS.pipeline_address}"
        address = add_parameter(self, label, self.address_name, "Private address of the pipeline node")
        what = "Airflow's login and keys; the pipeline node generates it"
        secret = add_secret(self, f"{name}-{SECRETS.pipeline}", what, settings.secret_recovery_days)
        self.address_arn, self.secret_arn, self.ready = address.arn, secret.arn, [address, secret]
        self.facts = {
            "training_release": settings.pipeline.training_release or uploaded["training"],
            "airflow_release": settings.pipeline.airflow_release or uploaded["airflow"],
            "address_parameter": self.address_name,
            "secret_arn": secret.arn,
            **settings.pipeline.facts(),
        }
        self.register_outputs({"address_name": self.address_name, "secret_arn": self.secret_arn})

"""The facts that first boot wrote: where secrets and parameters of jobs are, none of their values."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import contract
from ops.errors import UserError


@dataclass(frozen=True)
class Facts:
    """`jobs` is what `infra/components/jobs.py` tells: the names and the limits. `database` is the broker node's own:
    where PostgreSQL is, and whose secret makes roles there.
    """

    stack: str
    region: str
    bucket: str
    jobs: dict[str, Any]
    database: dict[str, Any]

    def aws(self, service: str) -> Any:
        """boto3's client of a service in this node's region."""
        import boto3

        return boto3.client(service, region_name=self.region)


def read(path: Path = Path(contract.PATHS.facts)) -> Facts:
    """The facts of this node. Raises `UserError` when it takes no part in jobs."""
    try:
        data = json.loads(path.read_text())
    except FileNotFoundError:
        raise UserError(f"{path} is missing", "run this on a node, after its first boot") from None
    if not data.get("jobs"):
        raise UserError("this node takes no part in asynchronous predictions", "set slipway:jobs.enabled, `pulumi up`")
    named = ("host", "port", "name", "secret_arn")
    database = {name: data[f"database_{name}"] for name in named if f"database_{name}" in data}
    return Facts(data["stack"], data["region"], data["bucket"], data["jobs"], database)

"""The facts that first boot wrote for a tracking node: where its database and its secrets are, none of their values."""

import json
from dataclasses import MISSING, dataclass, fields
from pathlib import Path

import contract
from ops.errors import UserError


@dataclass(frozen=True)
class Facts:
    """The part of facts.json that the tracking node's own code reads."""

    stack: str
    region: str
    bucket: str
    database_host: str
    database_port: int
    database_name: str
    database_secret_arn: str
    mlflow_admin_secret_arn: str
    mlflow_allowed_hosts: list[str]
    tracking_parameter: str
    watcher_key_parameter: str | None
    watcher_secret_arn: str | None
    orders: bool = False
    """Whether releases come from the pipeline node; a node from before has no such fact."""


def read(path: Path = Path(contract.PATHS.facts)) -> Facts:
    """The facts of this node. Raises `UserError` when this is no tracking node."""
    try:
        data = json.loads(path.read_text())
    except FileNotFoundError:
        raise UserError(f"{path} is missing", "run this on a tracking node, after its first boot") from None
    missing = [field.name for field in fields(Facts) if field.default is MISSING and field.name not in data]
    if missing:
        raise UserError(f"{path} lacks {', '.join(missing)}", "it is written from the stack: run `pulumi up`")
    return Facts(**{field.name: data[field.name] for field in fields(Facts) if field.name in data})

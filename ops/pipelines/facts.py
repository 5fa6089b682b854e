"""The facts that first boot wrote for a pipeline node: where its database and its secrets are, none of their values."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, fields
from functools import cached_property
from pathlib import Path
from typing import Any

import contract
from ops.errors import UserError


@dataclass(frozen=True)
class Facts:
    """The part of facts.json that this package reads. `pipeline` is what `infra/components/pipeline.py` tells."""

    stack: str
    region: str
    tracking_parameter: str
    mlflow_admin_secret_arn: str
    mlflow_url: str | None
    database_host: str
    database_port: int
    database_name: str
    database_secret_arn: str
    delivery: dict[str, Any]
    pipeline: dict[str, Any]

    @property
    def schedules(self) -> Mapping[str, str | None]:
        return dict(self.pipeline["schedules"])

    @property
    def tables(self) -> Mapping[str, str]:
        """By pipeline: the table whose new rows begin a run."""
        return dict(self.pipeline["tables"])

    @property
    def debounce_seconds(self) -> int:
        return int(self.pipeline["debounce_seconds"])

    @cached_property
    def _session(self) -> Any:
        import boto3

        return boto3.session.Session(region_name=self.region)

    def aws(self, service: str) -> Any:
        """boto3's client of a service in this node's region."""
        return self._session.client(service)


def read(path: Path = Path(contract.PATHS.facts)) -> Facts:
    """The facts of this node. Raises `UserError` when this is no pipeline node."""
    try:
        data = json.loads(path.read_text())
    except FileNotFoundError:
        raise UserError(f"{path} is missing", "run this on a pipeline node, after its first boot") from None
    missing = [field.name for field in fields(Facts) if field.name not in data]
    if missing:
        raise UserError(f"{path} lacks {', '.join(missing)}", "this is no pipeline node")
    return Facts(**{field.name: data[field.name] for field in fields(Facts)})

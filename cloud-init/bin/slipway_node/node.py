"""What this node is: its facts, the contract's paths, and how it reports. Everything else here is given a `Node`."""

import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

CONTRACT = Path("/etc/slipway/contract.yaml")
PATHS = ("releases", "models", "deployments", "slots", "state", "predictions", "run", "trial", "jobs")
OTHER_SLOT = {"a": "b", "b": "a"}


class ActivationError(Exception):
    """An activation that went no further. `exit_name` is a key of the contract's `activate_exit`."""

    def __init__(self, exit_name: str, message: str, **fields: Any) -> None:
        super().__init__(message)
        self.exit_name = exit_name
        self.fields = fields


@dataclass(frozen=True, kw_only=True)
class Node:
    region: str
    bucket: str
    deployment_parameter: str
    releases: Path
    models: Path
    deployments: Path
    slots: Path
    state: Path
    predictions: Path
    run: Path
    trial: Path
    jobs: Path
    accept: Path | None
    port: int
    unit_prefix: str
    keys: Mapping[str, str]
    headers: Mapping[str, str]
    exits: Mapping[str, int]
    prediction_log: Mapping[str, Any]
    percents: Sequence[int]

    @classmethod
    def load(cls, contract_file: Path = CONTRACT) -> "Node":
        contract = json.loads(contract_file.read_text())
        paths = {name: Path(path) for name, path in contract["paths"].items()}
        facts = json.loads(paths["facts"].read_text())
        return cls(
            region=facts["region"],
            bucket=facts["bucket"],
            deployment_parameter=facts["deployment_parameter"],
            **{name: paths[name] for name in PATHS},
            accept=paths["jobs_run"] / "accept.sock" if facts.get("jobs") and facts.get("role") != "worker" else None,
            port=contract["ports"]["node_http"],
            unit_prefix=contract["units"]["server"],
            keys=contract["s3"],
            headers=contract["headers"],
            exits=contract["activate_exit"],
            prediction_log=facts.get("prediction_log") or {},
            percents=contract["trial"]["percents"],
        )

    def unit(self, slot: str) -> str:
        return f"{self.unit_prefix}{slot}.service"

    def socket(self, slot: str) -> Path:
        return self.run / f"{slot}.sock"


def log(event: str, **fields: Any) -> None:
    """One line of JSON on standard error: systemd keeps it, a person at the terminal and Ansible read it."""
    print(json.dumps({"event": event, **fields}, default=str), file=sys.stderr, flush=True)

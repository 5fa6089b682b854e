"""What `make up` says at its end: addresses, a line to paste, where the password is, and how to take it all down."""

import json
from collections.abc import Mapping
from typing import Any

TEXT = """
Slipway is up: {url}

  predict    {curl}
  proof      {proof}
  MLflow     {mlflow_url}  user admin, password: (. .slipway/env; echo "$MLFLOW_TRACKING_PASSWORD")
  tools      . .slipway/env   then pulumi, aws, mlflow and ansible-playbook talk to this stack
  nodes      make status
  tear down  make down
"""


def curl(url: str, row: Mapping[str, float]) -> str:
    """A command that asks for one row's prediction when pasted into a shell."""
    return f"curl -s {url}/predict -H 'Content-Type: application/json' -d '{json.dumps(row)}'"


def summary(outputs: Mapping[str, Any], row: Mapping[str, float], proof: str) -> str:
    url = outputs["url"]
    return TEXT.format(url=url, mlflow_url=outputs["mlflow_url"], curl=curl(url, row), proof=proof)

"""What `make up` says at its end: addresses, a line to paste, where the password is, and how to take it all down."""

import json
from typing import Any

import pandas

TEXT = """
Slipway is up: {url}

  predict    {curl}
  proof      {proof}
  MLflow     {mlflow_url}  user admin, password: (. .slipway/env; echo "$MLFLOW_TRACKING_PASSWORD")
  tools      . .slipway/env   then pulumi, aws, mlflow and ansible-playbook talk to this stack
  nodes      make status
  tear down  make down
"""


def curl(url: str, rows: pandas.DataFrame) -> str:
    """A command that asks for the first row's prediction when pasted into a shell."""
    row = json.loads(rows.head(1).to_json(orient="records", double_precision=6))[0]
    return f"curl -s {url}/predict -H 'Content-Type: application/json' -d '{json.dumps(row)}'"


def summary(outputs: dict[str, Any], rows: pandas.DataFrame, proof: str) -> str:
    return TEXT.format(
        url=outputs["url"], mlflow_url=outputs["mlflow_url"], curl=curl(outputs["url"], rows), proof=proof
    )

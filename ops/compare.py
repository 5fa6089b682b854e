"""Served predictions against offline ones, row by row: the proof that ends `make up`.

The served model runs other builds of the same packages on another machine, so equality is to a tolerance, not to bits.
"""

import json
import math
import urllib.error
import urllib.request
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from app.expect import TOLERANCE
from ops.errors import UserError

TIMEOUT_SECONDS = 60
BATCH_ROWS = 50


@dataclass(frozen=True)
class Answer:
    predictions: list[float]
    deployment: str


def served(url: str, columns: Sequence[str], rows: Sequence[Sequence[float]], model: str) -> Answer:
    """Predictions for `rows` from MLflow's scoring protocol at `url`, and the deployment that gave them."""
    body = json.dumps({"dataframe_split": {"columns": list(columns), "data": [list(row) for row in rows]}})
    request = urllib.request.Request(  # noqa: S310 - the stack's own address
        f"{url}/invocations", body.encode(), {"Content-Type": "application/json"}
    )
    try:
        with urllib.request.urlopen(request, timeout=TIMEOUT_SECONDS) as response:  # noqa: S310
            answer: dict[str, Any] = json.load(response)
            deployment = response.headers.get("X-Slipway-Deployment", "")
    except urllib.error.HTTPError as error:
        raise UserError(
            f"{url}/invocations: status {error.code}: {error.read().decode(errors='replace')[:500]}"
        ) from None
    except OSError as error:
        raise UserError(f"{url}/invocations: {error}", f"look at `make status`; is {model} deployed?") from None
    return Answer([float(value) for value in answer["predictions"]], deployment)


def compare(url: str, columns: Sequence[str], rows: Sequence[Sequence[float]], expected: Sequence[float]) -> str:
    """Asks for every row through the balancer and raises `UserError` at the first that differs. Returns a summary."""
    deployments: set[str] = set()
    for start in range(0, len(rows), BATCH_ROWS):
        part = served(url, columns, rows[start : start + BATCH_ROWS], "the model")
        deployments.add(part.deployment)
        if difference := first_difference(part.predictions, expected[start : start + BATCH_ROWS]):
            index, got, want = difference
            raise UserError(f"row {start + index}: {url} answers {got}, the offline model {want}", "see `make status`")
    return f"{len(rows)} rows equal to the offline model's, deployment {', '.join(sorted(deployments))}"


def first_difference(got: Sequence[float], want: Sequence[float]) -> tuple[int, float | None, float | None] | None:
    """Index and values of the first pair beyond the tolerance; a missing or surplus value is None."""
    for index in range(max(len(got), len(want))):
        left = got[index] if index < len(got) else None
        right = want[index] if index < len(want) else None
        if left is None or right is None or not math.isclose(left, right, rel_tol=TOLERANCE, abs_tol=TOLERANCE):
            return index, left, right
    return None

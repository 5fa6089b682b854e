"""How each kind of server is asked for a prediction, and where its answer stands.

Everybody who may choose gets the body that `mlflow models serve` takes, so that nobody wins by a shorter request.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

JSON = {"Content-Type": "application/json"}


@dataclass(frozen=True)
class Table:
    """Rows to ask about, by column."""

    columns: tuple[str, ...]
    rows: tuple[tuple[Any, ...], ...]

    def part(self, first: int, count: int) -> "Table":
        return Table(self.columns, self.rows[first : first + count])


def table(split: str) -> Table:
    """From pandas' JSON, orient `split`."""
    read = json.loads(split)
    return Table(tuple(read["columns"]), tuple(map(tuple, read["data"])))


def mlflow_body(data: Table) -> Any:
    return {"dataframe_split": {"columns": data.columns, "data": data.rows}}


def v2_body(data: Table) -> Any:
    """A tensor per column: https://mlserver.readthedocs.io/en/stable/user-guide/content-type.html#pandas-dataframe"""
    inputs = [_tensor(name, [row[at] for row in data.rows]) for at, name in enumerate(data.columns)]
    return {"parameters": {"content_type": "pd"}, "inputs": inputs}


def _tensor(name: str, values: Sequence[Any]) -> dict[str, Any]:
    """MLServer joins the tensors of a batch by their own shape, so it is [rows, 1]."""
    tensor = {"name": name, "shape": [len(values), 1], "data": list(values)}
    if isinstance(values[0], str):
        return {**tensor, "datatype": "BYTES", "parameters": {"content_type": "str"}}
    return {**tensor, "datatype": "FP64"}


def rows_body(data: Table) -> Any:
    return {"rows": data.rows}


def of_predictions(answer: Any) -> list[Any]:
    return list(answer["predictions"])


def of_v2(answer: Any) -> list[Any]:
    return list(answer["outputs"][0]["data"])


def of_list(answer: Any) -> list[Any]:
    return list(answer)


@dataclass(frozen=True, kw_only=True)
class Protocol:
    path: str
    body: Callable[[Table], Any]
    predictions: Callable[[Any], list[Any]]
    headers: Mapping[str, str]

    def encoded(self, data: Table) -> bytes:
        return json.dumps(self.body(data), separators=(",", ":")).encode()


MLFLOW = Protocol(path="/invocations", body=mlflow_body, predictions=of_predictions, headers=JSON)
PREDICT = Protocol(path="/predict", body=mlflow_body, predictions=of_predictions, headers=JSON)
V2 = Protocol(path="/v2/models/model/infer", body=v2_body, predictions=of_v2, headers=JSON)
ROWS = Protocol(path="/predict", body=rows_body, predictions=of_list, headers=JSON)

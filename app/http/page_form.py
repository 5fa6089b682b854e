"""A model's signature as the fields of a form, filled with its input example, a posted row, and what was wrong with it.

Every field is plain text, also for numbers: a browser's number field silently sends nothing for what it cannot read,
and then nobody can say beside the field what was wrong.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal
from urllib.parse import parse_qsl

from mlflow.models import Model as Metadata
from mlflow.types import DataType, Schema

from app.core.form import FIELDS_AT_MOST

Control = Literal["line", "lines", "number", "truth"]

EXAMPLE_ROWS = 3
SHOWN = 40  # fields of a wide row that are not folded away
NUMBERS = {
    DataType.integer: "whole number",
    DataType.long: "whole number",
    DataType.float: "number",
    DataType.double: "number",
}
HINTS = {**NUMBERS, DataType.boolean: "true or false", DataType.binary: "base64", DataType.datetime: "date or time"}


@dataclass(frozen=True)
class Field:
    """`name` is the column's, whatever it holds; `id` is ours and safe in an attribute."""

    id: str
    name: str
    control: Control
    hint: str
    required: bool
    value: str
    error: str | None


def fields(schema: Schema | None, row: Mapping[str, Any], error: str | None = None) -> list[Field]:
    """Empty where a form cannot be built: the signature names no columns. `row`: text, or values of JSON."""
    if not has_fields(schema):
        return []
    assert schema is not None
    at = blamed(error, schema.input_names()) if error else None
    alone = len(schema.inputs) == 1
    return [
        Field(
            id=f"field-{number}",
            name=str(column.name),
            control=_control(column.type, alone),
            hint=HINTS.get(column.type, "text") if isinstance(column.type, DataType) else "JSON",
            required=bool(column.required),
            value=_text(row.get(column.name)),
            error=error if column.name == at else None,
        )
        for number, column in enumerate(schema.inputs)
    ]


def sent(content: bytes) -> dict[str, str]:
    """The fields of a posted form, to be shown again. Raises ValueError for what is none, or has too many."""
    return dict(parse_qsl(content.decode(errors="replace"), keep_blank_values=True, max_num_fields=FIELDS_AT_MOST))


def has_fields(schema: Schema | None) -> bool:
    return schema is not None and not schema.is_tensor_spec() and bool(schema.has_input_names())


def example_row(body: Any) -> dict[str, Any]:
    """The first row of a body of /invocations, by column; empty where it has no named columns."""
    if not isinstance(body, dict):
        return {}
    split, records = body.get("dataframe_split"), body.get("dataframe_records", body.get("instances"))
    if isinstance(split, dict) and split.get("data"):
        return dict(zip(split.get("columns", []), split["data"][0], strict=False))
    if isinstance(records, list) and records and isinstance(records[0], dict):
        return records[0]
    if isinstance(columns := body.get("inputs"), dict):
        return {name: values[0] for name, values in columns.items() if isinstance(values, list) and values}
    return {}


def example_body(body: Any, metadata: Metadata) -> str:
    """A body of /invocations to start from: few rows of the example, and the parameters' defaults."""
    short = {key: _few(value) for key, value in body.items()} if isinstance(body, dict) else body
    params = metadata.get_params_schema()
    if isinstance(short, dict) and params is not None and "params" not in short:
        short["params"] = {spec.name: spec.default for spec in params.params}
    return json.dumps(short, ensure_ascii=False, default=str)


def blamed(message: str, names: list[str]) -> str | None:
    """The column that an error message names, after "field" or "column"; the longest, as one may start another."""
    found = [name for name in names if re.search(rf"(?:field|column)s? \[?['\"]?{re.escape(name)}(?!\w)", message)]
    return max(found, key=len, default=None)


def _few(value: Any) -> Any:
    if isinstance(value, list):
        return value[:EXAMPLE_ROWS]
    if isinstance(value, dict) and isinstance(value.get("data"), list):
        shorter = {"data": value["data"][:EXAMPLE_ROWS]}
        return {key: shorter.get(key, item) for key, item in value.items() if key != "index"}
    return value


def _control(kind: Any, alone: bool) -> Control:
    if not isinstance(kind, DataType):
        return "lines"
    if kind == DataType.boolean:
        return "truth"
    if kind in NUMBERS:
        return "number"
    return "lines" if alone and kind == DataType.string else "line"


def _text(value: Any) -> str:
    """As the form's reader wants it back."""
    if value is None:
        return ""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)

"""The fields of an HTML form as one row. Every field is text, so the signature decides what it means."""

import math
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qsl

from mlflow.types import DataType, Schema

from app.core.body import decode, shorten
from app.core.errors import BadInputError

FIELDS_AT_MOST = 10_000


def row(content: str, schema: Schema | None) -> dict[str, Any]:
    """Values by name, those of an empty optional field left out; a name that is no column's keeps its text."""
    if schema is None or schema.is_tensor_spec() or not schema.has_input_names():
        raise BadInputError("a form needs a model whose signature names its columns; send JSON instead")
    try:
        pairs = parse_qsl(
            content, keep_blank_values=True, strict_parsing=True, errors="strict", max_num_fields=FIELDS_AT_MOST
        )
    except ValueError as error:
        raise BadInputError(f"the body is not a form: {shorten(str(error))}") from error
    fields: dict[str, str] = {}
    for name, value in pairs:
        if name in fields:
            raise BadInputError(f"the form has the field {shorten(name)!r} twice")
        fields[name] = value
    columns = schema.input_dict()
    found = {name: _field(columns[name], given) if name in columns else given for name, given in fields.items()}
    return {name: value for name, value in found.items() if value is not None}


def _field(column: Any, given: str) -> Any:
    """None for an empty field that may be missing."""
    if given == "" and column.type != DataType.string:
        if column.required:
            raise BadInputError(f"the field {column.name!r} is empty, expected {_kind(column.type)}")
        return None
    read = _READERS[column.type] if isinstance(column.type, DataType) else _json
    try:
        return read(given)
    except ValueError as error:
        expected = f"expected {_kind(column.type)}"
        raise BadInputError(f"the field {column.name!r} is {given[:80]!r}, {expected}") from error


def _kind(column_type: Any) -> str:
    return _NAMES.get(column_type, "JSON") if isinstance(column_type, DataType) else "JSON"


def _json(given: str) -> Any:
    try:
        return decode(given.encode())
    except BadInputError as error:
        raise ValueError(error.message) from error


def _finite(given: str) -> float:
    number = float(given)
    if not math.isfinite(number):
        raise ValueError(given)
    return number


def _truth(given: str) -> bool:
    if given.lower() not in _TRUTHS:
        raise ValueError(given)
    return _TRUTHS[given.lower()]


_TRUTHS = {"true": True, "on": True, "1": True, "false": False, "off": False, "0": False}
_READERS: dict[DataType, Callable[[str], Any]] = {
    DataType.boolean: _truth,
    DataType.integer: int,
    DataType.long: int,
    DataType.float: _finite,
    DataType.double: _finite,
    DataType.string: str,
    DataType.binary: str,
    DataType.datetime: str,
}
_NAMES = {
    DataType.boolean: "true or false",
    DataType.integer: "a whole number",
    DataType.long: "a whole number",
    DataType.float: "a finite number",
    DataType.double: "a finite number",
    DataType.binary: "base64",
    DataType.datetime: "a date or time",
}

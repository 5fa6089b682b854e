"""A model's signature as JSON Schema (2020-12, which OpenAPI 3.1 speaks), and its input example in each protocol."""

import math
from typing import Any

import numpy
from mlflow.models import Model as Metadata
from mlflow.types import ColSpec, DataType, Schema
from mlflow.types.schema import Array, Map, Object

from app.core.openinference_signature import describe, input_names
from app.core.openinference_tensor import DATATYPES

_TYPES: dict[DataType, dict[str, Any]] = {
    DataType.boolean: {"type": "boolean"},
    DataType.integer: {"type": "integer", "minimum": -(2**31), "maximum": 2**31 - 1},
    DataType.long: {"type": "integer", "minimum": -(2**63), "maximum": 2**63 - 1},
    DataType.float: {"type": "number"},
    DataType.double: {"type": "number"},
    DataType.string: {"type": "string"},
    DataType.binary: {"type": "string", "contentEncoding": "base64"},
    DataType.datetime: {"type": "string", "format": "date-time"},
}
_KINDS = {"b": "boolean", "i": "integer", "u": "integer", "f": "number"}


def row(schema: Schema | None, *, strict: bool) -> dict[str, Any]:
    """One row as an object. MLflow ignores a column too many; `strict` refuses it, as /predict does."""
    if schema is None or schema.is_tensor_spec() or not schema.has_input_names():
        return {"type": "object"}
    return {
        "type": "object",
        "properties": {spec.name: _column(spec) for spec in schema.inputs},
        "required": [spec.name for spec in schema.inputs if spec.required],
        "additionalProperties": not strict,
    }


def values(schema: Schema | None) -> dict[str, Any]:
    """One row as a list, in the order of the signature."""
    if schema is None or schema.is_tensor_spec():
        return {"type": "array"}
    columns = [_column(spec) for spec in schema.inputs]
    return {"type": "array", "prefixItems": columns, "minItems": len(columns), "maxItems": len(columns)}


def predictions(schema: Schema | None) -> dict[str, Any]:
    """What a model returns, as far as its signature says."""
    if schema is None:
        return {"description": "the model's signature does not say"}
    first = schema.inputs[0]
    if schema.is_tensor_spec():
        return {} if schema.has_input_names() else _nested(first.type, len(first.shape))
    if schema.has_input_names() and len(schema.inputs) > 1:
        return {"type": "array", "items": {"type": "object"}}
    return {"type": "array", "items": {"anyOf": [_optional(_type(first.type)), {"type": "object"}]}}


def params(metadata: Metadata) -> dict[str, Any] | None:
    known = metadata.get_params_schema()
    if not known:
        return None
    return {"type": "object", "properties": {spec.name: _param(spec) for spec in known.params}}


def tensors(metadata: Metadata) -> dict[str, Any]:
    """The `inputs` of a V2 request: by the signature's names, or one tensor of any name."""
    named = describe(metadata, None)["inputs"]
    summary = ", ".join(f"{tensor['name']} ({tensor['datatype']} {tensor['shape']})" for tensor in named)
    one = {"$ref": "#/components/schemas/Tensor"}
    return {"type": "array", "minItems": 1, "items": one, "description": summary or "one tensor of any name"}


def rows_of(body: Any) -> list[dict[str, Any]] | None:
    """The rows of a body of /invocations, where it has named columns."""
    if not isinstance(body, dict):
        return None
    if isinstance(found := body.get("dataframe_records", body.get("instances")), list):
        return found if all(isinstance(item, dict) for item in found) else None
    split = body.get("dataframe_split")
    if isinstance(split, dict) and "columns" in split:
        return [dict(zip(split["columns"], item, strict=True)) for item in split["data"]]
    return None


def tensor_example(body: Any, metadata: Metadata) -> list[dict[str, Any]] | None:
    """A model's example as the inputs of a V2 request."""
    schema = metadata.get_input_schema()
    described = describe(metadata, None)["inputs"]
    if schema is not None and schema.is_tensor_spec():
        given = body.get("inputs") if isinstance(body, dict) else None
        named = given if isinstance(given, dict) else {input_names(schema)[0]: given}
        arrays = [(tensor, named.get(tensor["name"])) for tensor in described]
        return [_tensor(tensor, data) for tensor, data in arrays if data is not None]
    rows = rows_of(body)
    if rows is None or not described:
        return None
    columns = [(tensor, [item.get(tensor["name"]) for item in rows]) for tensor in described]
    return [_column_example(tensor, data, schema) for tensor, data in columns if None not in data]


def _column_example(tensor: dict[str, Any], data: list[Any], schema: Schema) -> dict[str, Any]:
    is_binary = schema.input_dict()[tensor["name"]].type == DataType.binary if schema.has_input_names() else False
    more = {"parameters": {"content_type": "base64"}} if is_binary else {}
    return {**_tensor(tensor, data), **more}


def _tensor(tensor: dict[str, Any], data: Any) -> dict[str, Any]:
    shape = list(numpy.shape(data))
    flat = data
    for _ in shape[1:]:
        flat = [item for part in flat for item in part]
    assert math.prod(shape) == len(flat)
    return {"name": tensor["name"], "datatype": tensor["datatype"], "shape": shape, "data": flat}


def _column(spec: ColSpec) -> dict[str, Any]:
    return _type(spec.type) if spec.required else _optional(_type(spec.type))


def _type(column_type: Any) -> dict[str, Any]:
    if isinstance(column_type, DataType):
        return _TYPES[column_type]
    if isinstance(column_type, Array):
        return {"type": "array", "items": _type(column_type.dtype)}
    if isinstance(column_type, Map):
        return {"type": "object", "additionalProperties": _type(column_type.value_type)}
    if isinstance(column_type, Object):
        properties = {found.name: _type(found.dtype) for found in column_type.properties}
        required = [found.name for found in column_type.properties if found.required]
        return {"type": "object", "properties": properties, "required": required}
    return {}


def _optional(found: dict[str, Any]) -> dict[str, Any]:
    return {**found, "type": [found["type"], "null"]} if "type" in found else found


def _param(spec: Any) -> dict[str, Any]:
    found = _type(spec.dtype)
    found = {"type": "array", "items": found} if spec.shape else found
    default = spec.default.isoformat() if hasattr(spec.default, "isoformat") else spec.default
    return {**found, "default": default}


def _nested(dtype: Any, depth: int) -> dict[str, Any]:
    kind = _KINDS.get(numpy.dtype(dtype).kind)
    found: dict[str, Any] = {"type": [kind, "null"]} if kind else {}
    for _ in range(depth):
        found = {"type": "array", "items": found}
    return found


TENSOR: dict[str, Any] = {
    "type": "object",
    "properties": {
        "name": {"type": "string"},
        "datatype": {"enum": list(DATATYPES)},
        "shape": {"type": "array", "items": {"type": "integer", "minimum": 0}, "minItems": 1},
        "parameters": {"type": "object"},
        "data": {"type": "array", "description": "row-major, flat or nested; left out when binary data follows"},
    },
    "required": ["name", "datatype", "shape"],
}

"""The plain case of the Open Inference Protocol: tensors in JSON that are a table of values, as `plain.py` has them.

What a request may be, and what its tensors mean, is decided where it is for all requests; only the frame, which
MLflow then looks at, is left out, where it would find every column of its own type. Whatever is wrong, or has
parameters, or is to be answered in bytes, is `None`: that is for Flask's path, which says what is wrong.
"""

from typing import Any

import numpy
from mlflow.types import DataType

from app.core import openinference_request, plain
from app.core.body import STRUCTURES_AT_MOST
from app.core.errors import BadInputError
from app.core.openinference_input import as_matrix, cast, columns
from app.core.openinference_request import Request
from app.core.openinference_tensor import Array, Tensor
from app.core.plain import Layout, Table

# The dtypes that a column keeps, or that MLflow widens to its own without looking at the values.
KEPT: dict[DataType, frozenset[str]] = {
    DataType.double: frozenset({"f8", "f4", "i4"}),
    DataType.float: frozenset({"f4"}),
    DataType.long: frozenset({"i8", "i4"}),
    DataType.integer: frozenset({"i4"}),
    DataType.boolean: frozenset({"b1"}),
}


def infer(body: bytes, layout: Layout) -> Table | None:
    """A body of /infer, if it is plain; what its answer is to hold stands in the table."""
    if body.count(b"[") + body.count(b"{") > STRUCTURES_AT_MOST:
        return None
    parsed = plain.decode(body)
    try:
        asked = openinference_request.read(parsed)
        if asked.parameters or asked.binary or any(output.binary for output in asked.outputs):
            return None
        rows = _rows(asked.inputs, layout)
    except (BadInputError, RecursionError):
        return None
    if rows is None or not _no_key_twice(body, parsed, asked):
        return None
    table = layout.table(rows)
    if table is not None:
        table.asked = Request([], asked.id, outputs=asked.outputs)
    return table


def _rows(tensors: list[Tensor], layout: Layout) -> plain.Rows | None:
    if any(tensor.parameters for tensor in tensors):
        return None
    matrix = as_matrix(tensors, layout.names)
    if matrix is not None and layout.uniform is not None:
        return _kept(cast(matrix.array, layout.uniform.to_numpy()), layout.uniform)
    found = columns(tensors, layout.schema, layout.names)
    if len(found) != len(layout.names):
        return None
    lists = [_kept(found[name], kind) for name, kind in zip(layout.names, layout.types, strict=True)]
    return None if None in lists else list(zip(*lists, strict=True))


def _kept(values: Any, kind: DataType) -> list[Any] | None:
    if kind == DataType.string:
        return values if isinstance(values, list) else None
    array: Array = values
    if array.dtype.str[1:] not in KEPT[kind] or (array.dtype.kind == "f" and numpy.isnan(array).any()):
        return None
    found: list[Any] = array.tolist()
    return found


def _no_key_twice(body: bytes, parsed: dict[str, Any], asked: Request) -> bool:
    """As for other plain bodies: every key has a colon, so a key too many is a colon too many."""
    items = [*parsed["inputs"], *(parsed.get("outputs") or [])]
    keys = len(parsed) + sum(map(len, items)) + sum(len(item.get("parameters") or ()) for item in items)
    colons = body.count(b":")
    if colons == keys:
        return True
    if b"\\u003" in body:  # a colon in a string, in disguise
        return False
    texts = [asked.id or "", *(item["name"] for item in items)]
    for tensor in asked.inputs:
        texts += tensor.texts() if tensor.datatype == "BYTES" else []
    return bool(colons == keys + sum(text.count(":") for text in texts))

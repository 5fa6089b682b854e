"""Numbers that their columns cannot hold: NumPy wraps whole ones around and makes infinities of the others, MLflow
lets it, and the model would answer for a row that nobody asked about.
"""

from collections.abc import Iterator
from typing import Any

import numpy
from mlflow.types import DataType, Schema

from app.core.errors import BadInputError

Bounds = tuple[float, float]

_SMALL, _LARGE, _SINGLE = numpy.iinfo(numpy.int32), numpy.iinfo(numpy.int64), numpy.finfo(numpy.float32)
_BOUNDS: dict[Any, Bounds] = {
    DataType.integer: (int(_SMALL.min), int(_SMALL.max)),
    DataType.long: (int(_LARGE.min), int(_LARGE.max)),
    DataType.float: (float(_SINGLE.min), float(_SINGLE.max)),
}


def check(parsed: dict[str, Any], schema: Schema | None) -> None:
    """Raises BadInputError for the first such number in a decoded body of /invocations. Its shape may be anything."""
    if schema is None or schema.is_tensor_spec() or not schema.has_input_names():
        return
    names = schema.input_names()
    bounds = {name: _BOUNDS[kind] for name, kind in schema.input_types_dict().items() if kind in _BOUNDS}
    if not bounds:
        return
    for row, name, value in _cells(parsed, names, bounds):
        if type(value) in (int, float) and not bounds[name][0] <= value <= bounds[name][1]:
            low, high = bounds[name]
            what = f"{value:.20g}" if isinstance(value, float) or abs(value) < 10**20 else "a larger number"
            kind = schema.input_types_dict()[name].name
            raise BadInputError(
                f"row {row} has {what} in the column {name!r}, expected {low:.20g} to {high:.20g}: its type is {kind}"
            )


def _cells(parsed: dict[str, Any], names: list[str], wanted: dict[str, Bounds]) -> Iterator[tuple[int, str, Any]]:
    split = parsed.get("dataframe_split")
    if isinstance(split, dict) and isinstance(split.get("columns"), list):
        yield from _rows(split.get("data"), split["columns"], wanted)
    for key in ("dataframe_records", "instances", "inputs"):
        yield from _rows(parsed.get(key), names, wanted)
    columns = parsed.get("inputs")
    if isinstance(columns, dict):
        for name in wanted:
            values = columns.get(name)
            for row, value in enumerate(values if isinstance(values, list) else [values]):
                yield row, name, value[0] if isinstance(value, list) and len(value) == 1 else value


def _rows(rows: Any, columns: list[Any], wanted: dict[str, Bounds]) -> Iterator[tuple[int, str, Any]]:
    places = [(place, name) for place, name in enumerate(columns) if isinstance(name, str) and name in wanted]
    for number, row in enumerate(rows if isinstance(rows, list) else ()):
        if isinstance(row, dict):
            yield from ((number, name, row.get(name)) for name in wanted)
        elif isinstance(row, list):
            yield from ((number, name, row[place]) for place, name in places if place < len(row))

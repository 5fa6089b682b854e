"""The plain case of a prediction: rows of numbers, booleans and strings that need no conversion at all.

MLflow's parser and its schema enforcement take milliseconds to find that nothing need be done. Here the same frame is
built straight from the decoded JSON, but only where every value already has the one type that its column keeps.
Whatever else comes (a null, a float for an integer, a column too many) is none of this module's business: `None` sends
it to MLflow's own code. That both give the same frame is property-tested.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any

import numpy
import orjson
import pandas
from mlflow.models import Model as Metadata
from mlflow.types import DataType, Schema

from app.core.columns import Columns
from app.core.inputs import ROWS_AT_MOST
from app.core.openinference_request import Request

# From here on, an integer in JSON and a 64-bit float need not be the same number.
EXACT = float(2**53)

_TYPES: dict[DataType, frozenset[type]] = {
    DataType.double: frozenset({float, int}),
    DataType.float: frozenset({float, int}),
    DataType.long: frozenset({int}),
    DataType.integer: frozenset({int}),
    DataType.boolean: frozenset({bool}),
    DataType.string: frozenset({str}),
}
_LIMITS = {DataType.double: EXACT, DataType.float: EXACT, DataType.long: EXACT, DataType.integer: float(2**31)}

_MATRIX = frozenset({DataType.double, DataType.integer, DataType.boolean})  # 64-bit floats hold them as they are

Rows = Sequence[Sequence[Any]]


class Layout:
    """The columns of a model's signature, all of plain types, and how to make its frame."""

    def __init__(self, schema: Schema) -> None:
        self.schema = schema
        self.names: list[str] = schema.input_names()
        self.types: list[DataType] = schema.input_types()
        self.columns = pandas.DataFrame(columns=self.names).columns
        self._names, self._widths, types = frozenset(self.names), {len(self.names)}, self.types
        self._fits = [(_TYPES[kind], _LIMITS.get(kind)) for kind in types]
        self.is_matrix = _MATRIX.issuperset(types)
        self.is_texts = set(types) == {DataType.string}
        self.uniform = types[0] if len(set(types)) == 1 and types[0] in _LIMITS else None

    @staticmethod
    def of(metadata: Metadata) -> "Layout | None":
        """None for a model whose input this module cannot know: no signature, tensors, nameless or nested columns."""
        schema = metadata.get_input_schema()
        if schema is None or schema.is_tensor_spec() or not schema.has_input_names():
            return None
        if metadata._is_signature_from_type_hint() or metadata._is_type_hint_from_example():
            return None
        names, types = schema.input_names(), schema.input_types()
        if not names or len(set(names)) != len(names) or not all(kind in _TYPES for kind in types):
            return None
        return Layout(schema)

    def table(self, rows: Rows) -> "Table | None":
        """The rows, in the order of the columns, if every value is of its column's own type."""
        if not 0 < len(rows) <= ROWS_AT_MOST or set(map(len, rows)) != self._widths:
            return None
        if self.uniform is not None:
            fits = _fit(rows[0] if len(rows) == 1 else list(chain.from_iterable(rows)), *self._fits[0])
        else:
            fits = all(_fit(values, *fit) for values, fit in zip(zip(*rows, strict=True), self._fits, strict=True))
        return Table(self, rows) if fits else None

    def records(self, records: list[Any]) -> "Table | None":
        """From objects that all have exactly the columns."""
        names, rows = self.names, []
        for record in records:
            if type(record) is not dict or record.keys() != self._names:
                return None
            rows.append([record[name] for name in names])
        return self.table(rows)

    def split(self, columns: Any, data: Any) -> "Table | None":
        """From lists of values in the order of `columns`, which are the signature's in any order."""
        if type(columns) is not list or not _is_lists(data):
            return None
        if columns == self.names:
            return self.table(data)
        if len(columns) != len(self.names) or not all(type(name) is str for name in columns):
            return None
        if set(columns) != self._names or any(len(row) != len(columns) for row in data):
            return None
        places = [columns.index(name) for name in self.names]
        return self.table([[row[place] for place in places] for row in data])

    def matrix(self, rows: Rows) -> Any:
        """Of a layout that `is_matrix`."""
        return numpy.array(rows, dtype=numpy.float64)

    def texts(self, rows: Rows) -> Columns:
        """Of a layout that `is_texts`."""
        return Columns(dict(zip(self.names, map(list, zip(*rows, strict=True)), strict=True)))

    def frame(self, rows: Rows) -> pandas.DataFrame:
        """As schema enforcement leaves it: one block per type, column after column."""
        if self.uniform is not None:
            values = numpy.array(rows, dtype=_through(self.uniform)).T
            block = numpy.ascontiguousarray(values, dtype=self.uniform.to_numpy())
            return pandas.DataFrame(block.T, columns=self.columns, copy=False)
        pairs = zip(self.names, zip(*rows, strict=True), self.types, strict=True)
        return pandas.DataFrame({name: _column(values, kind) for name, values, kind in pairs})


@dataclass(slots=True, eq=False)
class Table:
    """A plain request's input: rows of values that fit their columns as they are."""

    layout: Layout
    values: Rows
    asked: Request | None = None  # of the Open Inference Protocol: what the answer is to hold

    @property
    def rows(self) -> int:
        return len(self.values)

    def frame(self) -> pandas.DataFrame:
        return self.layout.frame(self.values)


def invocation(body: bytes, layout: Layout) -> Table | None:
    """A body of /invocations, if it is plain."""
    parsed = decode(body)
    if type(parsed) is not dict or len(parsed) != 1:
        return None
    if (records := parsed.get("dataframe_records")) is not None:
        table = layout.records(records) if type(records) is list else None
        keys = 1 + sum(map(len, records)) if table else 0
    else:
        split = parsed.get("dataframe_split")
        if type(split) is not dict or len(split) != 2:
            return None
        table, keys = layout.split(split.get("columns"), split.get("data")), 3
    return table if table is not None and _no_key_twice(body, keys, table) else None


def rows(body: bytes, layout: Layout) -> Table | None:
    """A body of /predict, if it is plain: an object, a list of objects, a list of lists."""
    parsed = decode(body)
    items = [parsed] if type(parsed) is dict else parsed
    if type(items) is not list or not items:
        return None
    if type(items[0]) is dict:
        table, keys = layout.records(items), len(items) * len(layout.names)
    else:
        table, keys = (layout.table(items) if _is_lists(items) else None), 0
    return table if table is not None and _no_key_twice(body, keys, table) else None


def decode(body: bytes) -> Any:
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError:
        return None  # Python's reader takes some of what this one refuses, and says what is wrong with the rest


def _no_key_twice(body: bytes, keys: int, table: Table) -> bool:
    """The decoder keeps the last of equal keys. Every key has a colon, so a key too many is a colon too many."""
    colons = body.count(b":")
    if colons == keys:
        return True
    if b"\\u003" in body:  # a colon in a string, in disguise
        return False
    named = any(":" in name for name in table.layout.names)
    return not named and colons == keys + sum(v.count(":") for row in table.values for v in row if type(v) is str)


def _is_lists(data: Any) -> bool:
    return type(data) is list and set(map(type, data)) <= {list}


def _fit(values: Sequence[Any], types: frozenset[type], limit: float | None) -> bool:
    """Whether each is of its column's own type and keeps its value in it."""
    if not types.issuperset(map(type, values)):
        return False
    return limit is None or (max(values) < limit and min(values) > -limit)


def _through(kind: DataType) -> Any:
    return numpy.float64 if kind == DataType.float else kind.to_numpy()  # those of 32 bits from those of 64, as MLflow


def _column(values: Sequence[Any], kind: DataType) -> Any:
    if kind == DataType.string:
        return list(values)
    return numpy.array(values, dtype=_through(kind)).astype(kind.to_numpy(), copy=False)

"""The table that a model is trained on: where it comes from, what it must look like, and which rows are held back.

A row is held back by its own content, not by its place: so it stays on its side while the table grows, and a champion
that was trained on an earlier state of the table has not seen the rows that it is compared on. Equal rows are on one
side, too.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy
import pandas

from ops.errors import UserError
from ops.training import address

LEAST_ROWS = 20
BUCKETS = 10_000
KINDS: Mapping[type, str] = {float: "a number", int: "a whole number", str: "a text", bool: "true or false"}
TRUTHS = {"true": True, "false": False, "t": True, "f": False, "1": True, "0": False}
SHOWN = 3


@dataclass(frozen=True)
class Split:
    """Each a whole table, the target among its columns."""

    trained: pandas.DataFrame
    held_back: pandas.DataFrame


@dataclass(frozen=True)
class Table:
    """`columns`: the type of each (float, int, str or bool); None: they are taken as they come."""

    columns: Mapping[str, type] | None
    target: str
    share: float

    def checked(self, rows: pandas.DataFrame) -> pandas.DataFrame:
        """The rows with just these columns, in their order and of their types. Raises `UserError`, naming what is wrong
        and where."""
        rows = rows.reset_index(drop=True)
        if rows.empty:
            raise UserError("the training table is empty", "fill it first; nothing was trained")
        wanted = list(self.columns or rows.columns)
        if lacking := [name for name in (*wanted, self.target) if name not in rows.columns]:
            have = ", ".join(map(str, rows.columns))
            raise UserError(f"the training table has no column {', '.join(dict.fromkeys(lacking))}", f"it has: {have}")
        rows = rows[wanted]
        for problem in self._missing(rows):
            raise UserError(problem, "is it half-written? A row needs all its values before it is trained on")
        rows = pandas.DataFrame({name: self._typed(rows[name]) for name in wanted})
        if len(rows) < LEAST_ROWS:
            raise UserError(f"the training table has {len(rows)} rows, at least {LEAST_ROWS} are needed", "add more")
        return rows

    def split(self, rows: pandas.DataFrame) -> Split:
        """Raises `UserError` when a side would be empty."""
        hashes = pandas.util.hash_pandas_object(rows, index=False).to_numpy()
        back = hashes % BUCKETS < numpy.uint64(self.share * BUCKETS)
        if not back.any() or back.all():
            raise UserError(
                f"of {len(rows)} rows {int(back.sum())} would be held back to compare on: too many are equal",
                "a table needs different rows",
            )
        return Split(rows[~back].reset_index(drop=True), rows[back].reset_index(drop=True))

    def apart(self, rows: pandas.DataFrame) -> tuple[pandas.DataFrame, pandas.Series]:
        """Features, target."""
        return rows.drop(columns=[self.target]), rows[self.target]

    def _missing(self, rows: pandas.DataFrame) -> Iterator[str]:
        for name in rows.columns:
            empty = rows[name].isna().to_numpy()
            if empty.any():
                yield f"{_count(int(empty.sum()), len(rows))} no value in column {name}: {_places(empty)}"

    def _typed(self, column: pandas.Series) -> pandas.Series:
        kind = (self.columns or {}).get(str(column.name))
        if kind is None:
            return column
        if kind not in KINDS:
            raise UserError(f"COLUMNS gives {column.name} the type {kind!r}", "float, int, str and bool are known")
        found, wrong = _CASTS[kind](column)
        if wrong.any():
            example = column[wrong].iloc[0]
            raise UserError(
                f"{_count(int(wrong.sum()), len(column))} a {column.name} that is not {KINDS[kind]}: "
                f"{_places(wrong)}, like {example!r}",
                "correct the table; nothing was trained",
            )
        return found


def _numbers(column: pandas.Series) -> tuple[pandas.Series, Any]:
    found = pandas.to_numeric(column, errors="coerce").astype("float64")
    return found, ~numpy.isfinite(found.to_numpy())


def _whole(column: pandas.Series) -> tuple[pandas.Series, Any]:
    found, wrong = _numbers(column)
    values = found.to_numpy()
    wrong |= numpy.where(wrong, 0.0, values) % 1 != 0
    return found.where(~wrong, 0).astype("int64"), wrong


def _texts(column: pandas.Series) -> tuple[pandas.Series, Any]:
    wrong = numpy.array([not isinstance(value, str) or not value.strip() for value in column])
    return column.astype("str"), wrong


def _truths(column: pandas.Series) -> tuple[pandas.Series, Any]:
    found = [TRUTHS.get(str(value).strip().lower()) for value in column]
    return pandas.Series([bool(value) for value in found], name=column.name), numpy.array([v is None for v in found])


_CASTS: Mapping[type, Callable[[pandas.Series], tuple[pandas.Series, Any]]] = {
    float: _numbers,
    int: _whole,
    str: _texts,
    bool: _truths,
}


def _count(wrong: int, of: int) -> str:
    return f"{wrong} of {of} rows {'has' if wrong == 1 else 'have'}"


def _places(wrong: Any) -> str:
    """Rows are counted from 1, as people do."""
    rows = [int(place) + 1 for place in numpy.flatnonzero(wrong)[: SHOWN + 1]]
    return f"row{'s' if len(rows) > 1 else ''} {', '.join(map(str, rows[:SHOWN]))}{' …' if len(rows) > SHOWN else ''}"


def read(data: str, table: str, columns: Mapping[str, type]) -> pandas.DataFrame:
    """For a pipeline's `load`: the rows of a table in PostgreSQL (`data` is its address), or of a CSV or Parquet file.

    Raises `UserError`.
    """
    if address.is_address(data):
        from ops.training import database

        return database.read(data, table, columns)
    file = Path(data)
    if not file.is_file():
        raise UserError(f"there is no file {data}", "give a CSV or Parquet file, or an address postgresql://HOST/DB")
    try:
        if file.suffix == ".parquet":
            return pandas.read_parquet(file)
        # As text: what is not of its type is to be named with its row, not guessed around.
        return pandas.read_csv(file, dtype=str, keep_default_na=False, na_values=[""])
    except (ValueError, OSError) as error:
        raise UserError(f"{data} cannot be read: {' '.join(str(error).split())}", "is it half-written?") from None

"""`ops.training.table`: a table that is not as it must be is told with the column and the row."""

from pathlib import Path
from typing import Any

import numpy
import pandas
import pytest

from ops.errors import UserError
from ops.training import address
from ops.training.table import Table, read

COLUMNS = {"age": float, "visits": int, "note": str, "paid": bool}
TABLE = Table(COLUMNS, "paid", 0.2)


def rows(count: int = 50, **columns: Any) -> pandas.DataFrame:
    plain = {
        "age": numpy.linspace(18, 90, count),
        "visits": range(count),
        "note": [f"n{number}" for number in range(count)],
        "paid": [number % 2 == 0 for number in range(count)],
    }
    return pandas.DataFrame({**plain, **columns})


def changed(column: str, row: int, value: object) -> pandas.DataFrame:
    found = rows().astype({column: "object"})
    found.loc[row, column] = value
    return found


def test_a_good_table_stays_as_it_is() -> None:
    pandas.testing.assert_frame_equal(TABLE.checked(rows()), rows(), check_column_type=False)


def test_columns_that_nobody_asked_for_are_left_out_and_the_order_is_the_pipelines() -> None:
    shuffled = rows(secret=["x"] * 50)[["secret", "paid", "note", "visits", "age"]]
    assert list(TABLE.checked(shuffled).columns) == list(COLUMNS)


@pytest.mark.parametrize(
    ("table", "reason"),
    [
        (rows(0), "the training table is empty"),
        (rows().drop(columns=["note", "paid"]), "has no column note, paid"),
        (changed("age", 6, "old"), "1 of 50 rows has a age that is not a number: row 7, like 'old'"),
        (changed("age", 6, float("inf")), "a age that is not a number: row 7"),
        (changed("visits", 0, 1.5), "a visits that is not a whole number: row 1, like 1.5"),
        (changed("note", 3, "  "), "a note that is not a text: row 4"),
        (changed("paid", 2, "maybe"), "a paid that is not true or false: row 3, like 'maybe'"),
        (changed("age", 49, None), "1 of 50 rows has no value in column age: row 50"),
        (rows(12), "has 12 rows, at least 20 are needed"),
    ],
)
def test_what_is_wrong_is_one_line_with_the_place(table: pandas.DataFrame, reason: str) -> None:
    with pytest.raises(UserError) as refused:
        TABLE.checked(table)
    assert reason in refused.value.message
    assert "\n" not in refused.value.message


def test_many_places_are_not_all_listed() -> None:
    table = rows(note=[None] * 50)
    with pytest.raises(UserError, match=r"50 of 50 rows have no value in column note: rows 1, 2, 3 …"):
        TABLE.checked(table)


def test_a_row_keeps_its_side_while_the_table_grows() -> None:
    small, large = TABLE.checked(rows(200)).head(120), TABLE.checked(rows(200))
    before, after = TABLE.split(small), TABLE.split(large)
    assert set(before.held_back["note"]) <= set(after.held_back["note"])
    assert set(before.trained["note"]) <= set(after.trained["note"])
    assert 0.1 < len(after.held_back) / len(large) < 0.3


def test_equal_rows_are_on_one_side() -> None:
    twice = pandas.concat([TABLE.checked(rows()), TABLE.checked(rows())])
    split = TABLE.split(twice)
    assert not set(split.trained["note"]) & set(split.held_back["note"])


def test_a_table_of_one_row_over_and_over_cannot_be_split() -> None:
    with pytest.raises(UserError, match="too many are equal"):
        TABLE.split(TABLE.checked(rows().assign(age=1.0, visits=1, note="n", paid=True)))


def test_a_file_is_read_with_its_types(tmp_path: Path) -> None:
    rows().to_csv(tmp_path / "rows.csv", index=False)
    rows().to_parquet(tmp_path / "rows.parquet")
    for name in ("rows.csv", "rows.parquet"):
        found = TABLE.checked(read(str(tmp_path / name), "visits", COLUMNS))
        pandas.testing.assert_frame_equal(found, rows(), check_column_type=False)


def test_a_file_that_breaks_off_in_a_row_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "rows.csv"
    rows().to_csv(file, index=False)
    file.write_text(file.read_text()[:-8])
    with pytest.raises(UserError, match="row 50"):
        TABLE.checked(read(str(file), "visits", COLUMNS))


@pytest.mark.parametrize("content", [b"", b"\xff\xfe\x00", b'a,b\n"1'])
def test_a_file_that_is_no_table_is_one_line(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "rows.csv"
    file.write_bytes(content)
    with pytest.raises(UserError) as refused:
        TABLE.checked(read(str(file), "visits", COLUMNS))
    assert "\n" not in refused.value.message


def test_a_file_that_is_not_there_is_told() -> None:
    with pytest.raises(UserError, match="there is no file /nowhere"):
        read("/nowhere.csv", "visits", COLUMNS)


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        ("postgresql://ada:secret@db.internal:5432/shop?sslmode=require", "postgresql://db.internal:5432/shop"),
        ("postgresql://ada:p@ss@db/shop", "postgresql://db/shop"),
        ("postgres:///shop?host=/run/postgresql&password=secret", "postgres:///shop"),
        ("/data/rows.csv", "/data/rows.csv"),
    ],
)
def test_an_address_is_written_down_without_user_and_password(given: str, shown: str) -> None:
    assert address.shown(given) == shown


@pytest.mark.parametrize("given", ["postgresql://a:secret@db/x", "postgresql://db/x?password=secret"])
def test_a_password_among_arguments_is_refused_and_not_repeated(given: str) -> None:
    with pytest.raises(UserError) as refused:
        address.argument(given)
    assert "secret" not in str(refused.value)
    assert address.argument("postgresql://a@db/x?sslmode=require")

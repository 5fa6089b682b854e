"""Training tables in PostgreSQL: read by one query in a read-only transaction, or seeded in one."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import pandas
import psycopg
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict

from ops.errors import UserError
from ops.training.address import shown

TYPES: Mapping[type, str] = {float: "double precision", int: "bigint", str: "text", bool: "boolean"}
CONNECT_SECONDS = 10
READ_SECONDS = 300


def read(address: str, table: str, columns: Mapping[str, type]) -> pandas.DataFrame:
    """All rows of the table, by one query and so as of one moment. Raises `UserError`."""
    wanted = sql.SQL(", ").join(map(sql.Identifier, columns))
    with _connected(address) as connection:
        connection.read_only = True
        connection.execute(sql.SQL("SET LOCAL statement_timeout = {}").format(sql.Literal(READ_SECONDS * 1000)))
        cursor = connection.execute(sql.SQL("SELECT {} FROM {}").format(wanted, _named(table)))
        rows = cursor.fetchall()
    return pandas.DataFrame(rows, columns=list(columns))


def seed(address: str, table: str, rows: pandas.DataFrame, columns: Mapping[str, type]) -> int:
    """Makes the table unless it is there, and fills it if it is empty. How many rows it wrote. Raises `UserError`."""
    wanted = [sql.SQL("{} {} NOT NULL").format(sql.Identifier(n), sql.SQL(TYPES[k])) for n, k in columns.items()]
    key = sql.SQL("id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY")
    names = sql.SQL(", ").join(map(sql.Identifier, columns))
    with _connected(address) as connection:
        make = sql.SQL("CREATE TABLE IF NOT EXISTS {} ({})")
        connection.execute(make.format(_named(table), sql.SQL(", ").join([key, *wanted])))
        connection.execute(sql.SQL("LOCK TABLE {} IN EXCLUSIVE MODE").format(_named(table)))
        if connection.execute(sql.SQL("SELECT 1 FROM {} LIMIT 1").format(_named(table))).fetchone():
            return 0
        with connection.cursor().copy(sql.SQL("COPY {} ({}) FROM STDIN").format(_named(table), names)) as copy:
            for row in rows[list(columns)].itertuples(index=False):
                copy.write_row(row)
    return len(rows)


@contextmanager
def _connected(address: str) -> Iterator[psycopg.Connection[Any]]:
    """One transaction. Raises `UserError`, which never holds the address as it was given."""
    try:
        conninfo_to_dict(address)
    except psycopg.ProgrammingError:
        raise UserError(f"{shown(address)} is no address of a database", "write postgresql://HOST:PORT/NAME") from None
    try:
        with psycopg.connect(address, connect_timeout=CONNECT_SECONDS, application_name="slipway") as connection:
            yield connection
    except psycopg.errors.UndefinedTable as error:
        raise UserError(f"{shown(address)}: {_line(error)}", "`python -m ops.training seed NAME` makes one") from None
    except psycopg.errors.UndefinedColumn as error:
        raise UserError(f"{shown(address)}: {_line(error)}", "COLUMNS of the pipeline names what it reads") from None
    except psycopg.Error as error:
        raise UserError(
            f"{shown(address)} cannot be asked: {_line(error)}", "is it up, and may this user read?"
        ) from None


def _named(table: str) -> sql.Identifier:
    return sql.Identifier(*table.split("."))


def _line(error: psycopg.Error) -> str:
    """The first line: the ones below it show the query."""
    return str(error).strip().partition("\n")[0]

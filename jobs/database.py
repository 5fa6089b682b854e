"""The connections to PostgreSQL, kept and shared by the threads of a process; every statement is a transaction."""

from collections.abc import Sequence
from typing import Any

import psycopg
from psycopg.rows import namedtuple_row
from psycopg_pool import ConnectionPool, PoolTimeout

AWAY = (psycopg.OperationalError, PoolTimeout)
"""The database cannot be asked now; a statement may or may not have been done."""

Row = Any
"""A row by the names of its columns."""


class Database:
    """Opened at the first use, so that it may be made before a fork."""

    def __init__(self, conninfo: str, size: int, wait_seconds: float = 5.0) -> None:
        self._pool = ConnectionPool(
            conninfo,
            min_size=1,
            max_size=size,
            open=False,
            timeout=wait_seconds,
            reconnect_timeout=10,
            kwargs={"autocommit": True, "row_factory": namedtuple_row, "prepare_threshold": 0},
        )
        self._size = size

    def open(self) -> None:
        """Returns at once, whether the database answers or not."""
        self._pool.open(wait=False)

    def close(self) -> None:
        self._pool.close()

    def rows(self, statement: str, given: Sequence[Any] = ()) -> list[Row]:
        """What the statement returns. Raises one of `AWAY`.

        A kept connection may have died unnoticed while it was idle, once for each: a statement that was sent on a dead
        one is sent again on the next. So statements must bear to be done twice.
        """
        for _ in range(self._size):
            try:
                return self._once(statement, given)
            except PoolTimeout:
                raise
            except psycopg.OperationalError as error:
                last = error
        raise last

    def _once(self, statement: str, given: Sequence[Any]) -> list[Row]:
        with self._pool.connection() as connection:
            cursor = connection.execute(statement.encode(), given, binary=True)
            return cursor.fetchall() if cursor.description else []

"""MLflow's role and database on the stack's PostgreSQL.

RDS rotates the master password and MLflow cannot refresh credentials (mlflow#24570). So MLflow connects as a role of
its own, and libpq reads that role's password from a file at each connect.
"""

from collections.abc import Callable

import psycopg

from ops import postgres
from ops.postgres import CONNECT_SECONDS, Owner

ROLE = "mlflow"
DATABASE = "mlflow"
OWNER = Owner(ROLE, DATABASE)


class Server(postgres.Server):
    """The stack's PostgreSQL as MLflow sees it."""

    def url(self, passfile: str) -> str:
        """SQLAlchemy's address of MLflow's database: it names the file with the password, never the password."""
        query = f"passfile={passfile}&sslmode=verify-full&sslrootcert={self.ca}&connect_timeout={CONNECT_SECONDS}"
        return f"postgresql+psycopg://{ROLE}@{self.host}:{self.port}/{DATABASE}?{query}"

    def passfile_line(self, password: str) -> str:
        return self.login_line(OWNER, password)


def ensure_role(server: Server, password: str, master: Callable[[], tuple[str, str, str]]) -> None:
    """MLflow's role, database and password: see `postgres.ensure`."""
    postgres.ensure(server, OWNER, password, master)


def has_schema(server: Server, passfile: str) -> bool:
    """Whether MLflow has made its tables: an empty database is quicker initialised by the server than migrated.

    Raises `UserError` when the database cannot be reached.
    """
    try:
        with server.connect(user=ROLE, database=DATABASE, passfile=passfile) as connection:
            row = connection.execute("SELECT to_regclass('public.alembic_version') IS NOT NULL").fetchone()
    except psycopg.OperationalError as error:
        raise postgres.unreachable(server, ROLE, error) from None
    return bool(row and row[0])

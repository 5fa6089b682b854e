"""MLflow's role and database on the stack's PostgreSQL: made with the master secret, used without it.

RDS rotates the master password and MLflow cannot refresh credentials (mlflow#24570). So MLflow connects as a role of
its own, and libpq reads that role's password from a file at each connect.
RDS's master user is no superuser: it must be a member of a role to make a database that the role owns.
"""

from collections.abc import Callable
from dataclasses import dataclass

import psycopg
from psycopg import sql

from ops.errors import UserError

ROLE = "mlflow"
DATABASE = "mlflow"
CONNECT_SECONDS = 10
LIBPQ_ASKS = "Is the server running"  # after the reason, on a line of its own, whatever the reason was


@dataclass(frozen=True)
class Server:
    """Where PostgreSQL listens, and the certificate authority that its own certificate must come from."""

    host: str
    port: int
    ca: str

    def connect(
        self, *, user: str, database: str, password: str | None = None, passfile: str | None = None
    ) -> psycopg.Connection:
        """A connection over verified TLS, by a password or a file that holds it. Raises `psycopg.OperationalError`."""
        return psycopg.connect(
            host=self.host,
            port=self.port,
            user=user,
            dbname=database,
            password=password,
            passfile=passfile,
            sslmode="verify-full",
            sslrootcert=self.ca,
            connect_timeout=CONNECT_SECONDS,
            autocommit=True,
        )

    def url(self, passfile: str) -> str:
        """SQLAlchemy's address of MLflow's database: it names the file with the password, never the password."""
        query = f"passfile={passfile}&sslmode=verify-full&sslrootcert={self.ca}&connect_timeout={CONNECT_SECONDS}"
        return f"postgresql+psycopg://{ROLE}@{self.host}:{self.port}/{DATABASE}?{query}"

    def passfile_line(self, password: str) -> str:
        """One line of libpq's password file, with the two characters that it gives a meaning escaped."""
        escaped = password.replace("\\", "\\\\").replace(":", "\\:")
        return f"{self.host}:{self.port}:{DATABASE}:{ROLE}:{escaped}\n"


def ensure_role(server: Server, password: str, master: Callable[[], tuple[str, str, str]]) -> None:
    """Makes `password` that of MLflow's role, and the role and its database where they are missing.

    `master` gives user, password and database to connect with, and is called only when the role cannot log in.
    Raises `UserError` when the server cannot be reached or refuses its own master user.
    """
    if _works(server, password):
        return
    user, master_password, database = master()
    try:
        with server.connect(user=user, password=master_password, database=database) as connection:
            _make(connection, password)
    except psycopg.OperationalError as error:
        raise _unreachable(server, user, error) from None


def has_schema(server: Server, passfile: str) -> bool:
    """Whether MLflow has made its tables: an empty database is quicker initialised by the server than migrated.

    Raises `UserError` when the database cannot be reached.
    """
    try:
        with server.connect(user=ROLE, database=DATABASE, passfile=passfile) as connection:
            row = connection.execute("SELECT to_regclass('public.alembic_version') IS NOT NULL").fetchone()
    except psycopg.OperationalError as error:
        raise _unreachable(server, ROLE, error) from None
    return bool(row and row[0])


def _works(server: Server, password: str) -> bool:
    try:
        server.connect(user=ROLE, password=password, database=DATABASE).close()
    except psycopg.OperationalError:
        return False
    return True


def _make(connection: psycopg.Connection, password: str) -> None:
    role = sql.Identifier(ROLE)
    if connection.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", [ROLE]).fetchone() is None:
        connection.execute(sql.SQL("CREATE ROLE {} LOGIN").format(role))
    connection.execute(sql.SQL("ALTER ROLE {} PASSWORD {}").format(role, sql.Literal(password)))
    connection.execute(sql.SQL("GRANT {} TO CURRENT_USER").format(role))
    database = sql.Identifier(DATABASE)
    if connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [DATABASE]).fetchone() is None:
        connection.execute(sql.SQL("CREATE DATABASE {} OWNER {}").format(database, role))
    # RDS makes the first database itself, as the master user's; its owner alone may make tables in it.
    connection.execute(sql.SQL("ALTER DATABASE {} OWNER TO {}").format(database, role))
    connection.execute(sql.SQL("REVOKE ALL ON DATABASE {} FROM PUBLIC").format(database))


def _unreachable(server: Server, user: str, error: psycopg.OperationalError) -> UserError:
    lines = [line.strip() for line in str(error).splitlines()]
    reason = " ".join(line for line in lines if line and not line.startswith(LIBPQ_ASKS))
    return UserError(
        f"database {server.host}:{server.port} cannot be reached as {user}: {reason}",
        "look at its status and its security group; this is tried again until it answers",
    )

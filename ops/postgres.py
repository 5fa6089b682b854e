"""A role and a database of an application's own on the stack's PostgreSQL, made with the master secret.

RDS rotates the master password, and its master user is no superuser: it must be a member of a role to make a database
that the role owns. The jobs release carries this module too, so it imports nothing of ours but the errors.
"""

from collections.abc import Callable
from dataclasses import dataclass

import psycopg
from psycopg import sql

from ops.errors import UserError

CONNECT_SECONDS = 10
LIBPQ_ASKS = "Is the server running"  # after the reason, on a line of its own, whatever the reason was


@dataclass(frozen=True)
class Owner:
    """A role that logs in, and the one database that is its own."""

    role: str
    database: str


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

    def login_line(self, owner: Owner, password: str) -> str:
        """One line of libpq's password file, with the two characters that it gives a meaning escaped."""
        escaped = password.replace("\\", "\\\\").replace(":", "\\:")
        return f"{self.host}:{self.port}:{owner.database}:{owner.role}:{escaped}\n"


def ensure(server: Server, owner: Owner, password: str, master: Callable[[], tuple[str, str, str]]) -> None:
    """Makes `password` that of the role, and the role and its database where they are missing.

    `master` gives user, password and database to connect with, and is called only when the role cannot log in.
    Raises `UserError` when the server cannot be reached or refuses its own master user.
    """
    if _works(server, owner, password):
        return
    user, master_password, database = master()
    try:
        with server.connect(user=user, password=master_password, database=database) as connection:
            _make(connection, owner, password)
    except psycopg.OperationalError as error:
        raise unreachable(server, user, error) from None


def unreachable(server: Server, user: str, error: psycopg.OperationalError) -> UserError:
    """What libpq said, on one line."""
    lines = [line.strip() for line in str(error).splitlines()]
    reason = " ".join(line for line in lines if line and not line.startswith(LIBPQ_ASKS))
    return UserError(
        f"database {server.host}:{server.port} cannot be reached as {user}: {reason}",
        "look at its status and its security group; this is tried again until it answers",
    )


def _works(server: Server, owner: Owner, password: str) -> bool:
    try:
        server.connect(user=owner.role, password=password, database=owner.database).close()
    except psycopg.OperationalError:
        return False
    return True


def _make(connection: psycopg.Connection, owner: Owner, password: str) -> None:
    role, database = sql.Identifier(owner.role), sql.Identifier(owner.database)
    if connection.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", [owner.role]).fetchone() is None:
        connection.execute(sql.SQL("CREATE ROLE {} LOGIN").format(role))
    connection.execute(sql.SQL("ALTER ROLE {} PASSWORD {}").format(role, sql.Literal(password)))
    connection.execute(sql.SQL("GRANT {} TO CURRENT_USER").format(role))
    if connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [owner.database]).fetchone() is None:
        connection.execute(sql.SQL("CREATE DATABASE {} OWNER {}").format(database, role))
    # RDS makes the first database itself, as the master user's; its owner alone may make tables in it.
    connection.execute(sql.SQL("ALTER DATABASE {} OWNER TO {}").format(database, role))
    connection.execute(sql.SQL("REVOKE ALL ON DATABASE {} FROM PUBLIC").format(database))

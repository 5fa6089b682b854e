"""What PostgreSQL is told: its settings, who may log in how, and the SQL that makes the master user. Pure functions."""

import re
from ipaddress import IPv4Address

DATA = "/var/lib/slipway-database"  # where PostgreSQL sees its folder
BIN = "/usr/lib/postgresql/15/bin"
SUPERUSER = "rdsadmin"

HBA = """\
local   all all      peer map=cloud
hostssl all all all  scram-sha-256
"""
IDENT = f"cloud postgres {SUPERUSER}\n"


def settings(address: IPv4Address, port: int) -> str:
    """`postgresql.conf`. The data lives as long as the local cloud, so nothing waits for the disk."""
    return "".join(
        f"{name} = {value}\n"
        for name, value in {
            "listen_addresses": f"'{address}'",
            "port": port,
            "unix_socket_directories": f"'{DATA}'",
            "unix_socket_permissions": "0700",
            "hba_file": f"'{DATA}/pg_hba.conf'",
            "ident_file": f"'{DATA}/pg_ident.conf'",
            "ssl": "on",
            "ssl_cert_file": f"'{DATA}/server.crt'",
            "ssl_key_file": f"'{DATA}/server.key'",
            "ssl_min_protocol_version": "TLSv1.2",
            "password_encryption": "scram-sha-256",
            "shared_buffers": "64MB",
            "max_connections": 100,
            "fsync": "off",
            "synchronous_commit": "off",
            "full_page_writes": "off",
            "timezone": "UTC",
            "log_timezone": "UTC",
            "log_connections": "off",
            "log_statement": "none",
            "log_min_error_statement": "panic",
        }.items()
    )


def initdb() -> list[str]:
    options = ["--encoding=UTF8", "--locale=C.UTF-8", f"--username={SUPERUSER}", "--no-sync", "--no-instructions"]
    return [f"{BIN}/initdb", *options, f"--pgdata={DATA}/data", "--auth=reject"]


def postgres() -> list[str]:
    return [f"{BIN}/postgres", "-D", f"{DATA}/data", "-c", f"config_file={DATA}/postgresql.conf"]


def psql(port: int) -> list[str]:
    """Reads SQL from standard input, so that no password stands in a process list."""
    options = ["--no-psqlrc", "--quiet", "--tuples-only", "--no-align", "--set=ON_ERROR_STOP=1"]
    return [f"{BIN}/psql", *options, f"--host={DATA}", f"--port={port}", "--username", SUPERUSER, "postgres"]


def create_master(user: str, password: str, database: str | None) -> str:
    """RDS's master user is no superuser: it makes databases and roles, and has the roles that watch and end sessions.

    Safe to run again.
    """
    name = identifier(user)
    lines = [
        _unless(f"FROM pg_roles WHERE rolname = {literal('rds_superuser')}", "CREATE ROLE rds_superuser NOLOGIN"),
        "GRANT pg_monitor, pg_signal_backend, pg_checkpoint TO rds_superuser WITH ADMIN OPTION;",
        _unless(f"FROM pg_roles WHERE rolname = {literal(user)}", f"CREATE ROLE {name} LOGIN CREATEDB CREATEROLE"),
        f"GRANT rds_superuser TO {name};",
        set_password(user, password),
    ]
    if database:
        create = f"CREATE DATABASE {identifier(database)} OWNER {name}"
        lines.append(_unless(f"FROM pg_database WHERE datname = {literal(database)}", create))
    return "\n".join(lines) + "\n"


def set_password(user: str, password: str) -> str:
    return f"ALTER ROLE {identifier(user)} PASSWORD {literal(password)};"


def _unless(found: str, statement: str) -> str:
    return f"SELECT {literal(statement)} WHERE NOT EXISTS (SELECT {found}) \\gexec"


def identifier(text: str) -> str:
    if "\0" in text:
        raise ValueError("an SQL identifier holds no zero byte")
    return '"' + text.replace('"', '""') + '"'


def literal(text: str) -> str:
    """Text as an SQL string, whatever `standard_conforming_strings` says; psql must not read it as a variable."""
    if "\0" in text:
        raise ValueError("an SQL string holds no zero byte")
    escaped = re.sub(r"[^A-Za-z0-9 _.,()=]", lambda match: f"\\U{ord(match.group()):08X}", text)
    return f"E'{escaped}'"

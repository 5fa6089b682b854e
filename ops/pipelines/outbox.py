"""The outbox beside the training tables: an insert leaves a line in it, in its own transaction, and waits for nobody.

Lines are claimed for one run, under an id that is written down before Airflow hears of it, and deleted once Airflow has
taken that run. So a listener or an Airflow that is away loses none, and a listener that dies in between asks for the
same run again, which Airflow has already.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from psycopg import Connection, sql

CHANNEL = "slipway_training"
PREFIX = "slipway_announce_"
PATIENCE = 10
"""Rows that keep coming put a run off for this many debounces at most."""

SCHEMA = """
CREATE TABLE IF NOT EXISTS slipway_outbox (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    pipeline text NOT NULL,
    inserted timestamptz NOT NULL DEFAULT clock_timestamp(),
    run text
);
CREATE OR REPLACE FUNCTION slipway_announce() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    IF EXISTS (SELECT 1 FROM added) THEN
        INSERT INTO slipway_outbox (pipeline) VALUES (TG_ARGV[0]);
        PERFORM pg_notify('slipway_training', '');
    END IF;
    RETURN NULL;
END $$;
"""
TRIGGERS = """
SELECT tgname, tgrelid::regclass::text FROM pg_trigger
WHERE NOT tgisinternal AND starts_with(tgname, %s) ORDER BY tgname
"""
CLAIM = """
UPDATE slipway_outbox SET run = due.run FROM (
    SELECT pipeline, max(id) AS last,
           'rows-' || to_char(max(inserted) AT TIME ZONE 'UTC', 'YYYYMMDD"T"HH24MISS"Z"') || '-' || max(id) AS run
    FROM slipway_outbox WHERE run IS NULL GROUP BY pipeline
    HAVING max(inserted) <= clock_timestamp() - %(debounce)s * interval '1 second'
        OR min(inserted) <= clock_timestamp() - %(most)s * interval '1 second'
) AS due
WHERE slipway_outbox.pipeline = due.pipeline AND slipway_outbox.run IS NULL AND slipway_outbox.id <= due.last
"""

Database = Connection[Any]


def prepare(connection: Database) -> None:
    """The outbox, unless it is there."""
    with _alone(connection):
        connection.execute(SCHEMA)


def follow(connection: Database, tables: Mapping[str, str]) -> list[str]:
    """A trigger on each table that is there; those of before go. Returns the tables that are not there yet."""
    with _alone(connection):
        known = {(str(name), str(table)) for name, table in connection.execute(TRIGGERS, [PREFIX])}
        wanted = {(f"{PREFIX}{pipeline}", table): pipeline for pipeline, table in tables.items()}
        for name, table in known - wanted.keys():
            drop = sql.SQL("DROP TRIGGER {} ON {}")
            connection.execute(drop.format(sql.Identifier(name), sql.Identifier(*table.replace('"', "").split("."))))
        missing = []
        for (name, table), pipeline in wanted.items():
            if not _exists(connection, table):
                missing.append(table)
            elif (name, table) not in known:
                _install(connection, name, table, pipeline)
        return missing


def claim(connection: Database, debounce_seconds: int) -> list[tuple[str, str]]:
    """Pipelines with the runs that are due, and those claimed before that Airflow has not taken yet."""
    waits = {"debounce": debounce_seconds, "most": PATIENCE * debounce_seconds}
    with connection.transaction():
        connection.execute(CLAIM, waits)
        found = connection.execute("SELECT DISTINCT pipeline, run FROM slipway_outbox WHERE run IS NOT NULL")
        return sorted((str(pipeline), str(run)) for pipeline, run in found)


def taken(connection: Database, pipeline: str, run: str) -> int:
    """Airflow has the run: its lines go. How many they were."""
    gone = connection.execute("DELETE FROM slipway_outbox WHERE pipeline = %s AND run = %s", [pipeline, run])
    return gone.rowcount


def waiting(connection: Database) -> bool:
    return connection.execute("SELECT 1 FROM slipway_outbox LIMIT 1").fetchone() is not None


@contextmanager
def _alone(connection: Database) -> Iterator[None]:
    """A transaction of one listener at a time: a node and its successor may both be there."""
    with connection.transaction():
        connection.execute("SELECT pg_advisory_xact_lock(hashtext('slipway_outbox'))")
        yield


def _exists(connection: Database, table: str) -> bool:
    row = connection.execute("SELECT to_regclass(%s) IS NOT NULL", [table]).fetchone()
    return bool(row and row[0])


def _install(connection: Database, name: str, table: str, pipeline: str) -> None:
    """A statement at a time, however many rows it inserts."""
    make = sql.SQL(
        "CREATE TRIGGER {} AFTER INSERT ON {} REFERENCING NEW TABLE AS added"
        " FOR EACH STATEMENT EXECUTE FUNCTION slipway_announce({})"
    )
    connection.execute(make.format(sql.Identifier(name), sql.Identifier(table), sql.Literal(pipeline)))

"""The one table, made and migrated by `python3 -m jobs.schema`; any number of nodes may run it at once.

Each index holds only the rows of its question, so that what has ended costs nothing. `publish_at` is when the sweeper
must send a message for a queued job: null while one is believed to be on its way.
"""

import logging
import sys

import psycopg

from jobs import config, logs
from jobs.config import Config, ConfigError

LOCK = 7_305_801  # of pg_advisory_xact_lock: two nodes must not migrate at once

STEPS = (
    """
    CREATE TABLE jobs (
        id uuid PRIMARY KEY,
        state text NOT NULL DEFAULT 'queued'
            CHECK (state IN ('queued', 'running', 'succeeded', 'failed', 'cancelled')),
        target text NOT NULL,
        headers text NOT NULL,
        input bytea,
        input_size integer NOT NULL,
        request_id text NOT NULL,
        key text,
        digest bytea,
        created timestamptz NOT NULL DEFAULT now(),
        published timestamptz NOT NULL DEFAULT now(),
        publish_at timestamptz,
        started timestamptz,
        ended timestamptz,
        lease timestamptz,
        attempt integer NOT NULL DEFAULT 0,
        dead boolean NOT NULL DEFAULT false,
        status integer,
        result bytea,
        result_size integer,
        result_type text,
        deployment text,
        model text,
        reason text
    ) WITH (fillfactor = 80, autovacuum_vacuum_scale_factor = 0.05, autovacuum_analyze_scale_factor = 0.1);
    CREATE UNIQUE INDEX jobs_key ON jobs (key) WHERE key IS NOT NULL;
    CREATE INDEX jobs_queued ON jobs (id) WHERE state = 'queued';
    CREATE INDEX jobs_due ON jobs (publish_at) WHERE publish_at IS NOT NULL;
    CREATE INDEX jobs_running ON jobs (lease) WHERE state = 'running';
    CREATE INDEX jobs_ended ON jobs (ended) WHERE ended IS NOT NULL;
    """,
)

log = logging.getLogger(__name__)


def migrate(connection: "psycopg.Connection[tuple[object, ...]]") -> int:
    """Brings the tables to the newest version, in one transaction. Returns how many steps that took."""
    with connection.transaction():
        connection.execute("SELECT pg_advisory_xact_lock(%s)", (LOCK,))
        connection.execute("CREATE TABLE IF NOT EXISTS jobs_schema (version integer NOT NULL)")
        row = connection.execute("SELECT coalesce(max(version), 0) FROM jobs_schema").fetchone()
        assert row is not None
        done = int(str(row[0]))
        for step in STEPS[done:]:
            connection.execute(step.encode())
        if STEPS[done:]:
            connection.execute("INSERT INTO jobs_schema VALUES (%s)", (len(STEPS),))
    return len(STEPS) - done


def ensure(found: Config) -> int:
    with psycopg.connect(found.conninfo, autocommit=True) as connection:
        return migrate(connection)


def main() -> None:
    logs.to_stdout()
    try:
        steps = ensure(config.read())
    except (ConfigError, psycopg.Error) as error:
        sys.exit(f"jobs.schema: {' '.join(str(error).split())}")
    log.info("the tables are there", extra={"steps": steps})


if __name__ == "__main__":
    main()

"""What is asked of the jobs' table by those who accept jobs and those who ask for them.

Every statement bears to be done twice, for nobody knows whether one was done whose connection broke.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import NamedTuple
from uuid import UUID

from jobs.database import Database, Row

KEY_HOURS = 24
FAR = 1000  # nobody counts further: a position of so much means at least that

COLUMNS = """id, state, target, request_id, created, started, ended, attempt, dead, status, result_size, result_type,
 deployment, model, reason"""

INSERT = """INSERT INTO jobs (id, target, headers, input, input_size, request_id, key, digest)
 VALUES (%s, %s, %s, %s, %s, %s, %s, %s) ON CONFLICT DO NOTHING RETURNING id"""
SAME = "SELECT id, digest, created < now() - %s AS old FROM jobs WHERE key = %s OR id = %s ORDER BY id = %s DESC"
FORGET_KEY = "UPDATE jobs SET key = NULL WHERE id = %s"
GET = f"SELECT {COLUMNS} FROM jobs WHERE id = %s"  # noqa: S608 - no input is in it
POSITION = "SELECT count(*) AS ahead FROM (SELECT 1 FROM jobs WHERE state = 'queued' AND id < %s LIMIT %s) AS earlier"
QUEUED = "SELECT count(*) AS queued FROM (SELECT 1 FROM jobs WHERE state = 'queued' LIMIT %s) AS counted"
RESULT = "SELECT result FROM jobs WHERE id = %s"
CANCEL = """WITH old AS (SELECT id, state FROM jobs WHERE id = %s FOR UPDATE)
 UPDATE jobs SET state = 'cancelled', ended = now(), lease = NULL, publish_at = NULL, input = NULL
 FROM old WHERE jobs.id = old.id AND old.state IN ('queued', 'running') RETURNING old.state AS was"""
UNPUBLISHED = "UPDATE jobs SET publish_at = now() WHERE id = ANY(%s) AND state = 'queued' AND publish_at IS NULL"
LIST = f"SELECT {COLUMNS} FROM jobs WHERE (%s::text IS NULL OR state = %s) ORDER BY id DESC LIMIT %s"  # noqa: S608
COUNTS = "SELECT state, count(*) AS jobs FROM jobs GROUP BY state"


@dataclass(frozen=True, kw_only=True)
class NewJob:
    """`input` is None when the body is in S3. `key` and `digest` are there together."""

    id: UUID
    target: str
    headers: str
    input: bytes | None
    input_size: int
    request_id: str
    key: str | None = None
    digest: bytes | None = None


class Job(NamedTuple):
    """A row without its payloads, in the order of `COLUMNS`."""

    id: UUID
    state: str
    target: str
    request_id: str
    created: datetime
    started: datetime | None
    ended: datetime | None
    attempt: int
    dead: bool
    status: int | None
    result_size: int | None
    result_type: str | None
    deployment: str | None
    model: str | None
    reason: str | None


class KeyTakenError(Exception):
    """The idempotency key belongs to another request."""


class Store:
    def __init__(self, database: Database) -> None:
        self._rows = database.rows

    def insert(self, job: NewJob) -> UUID:
        """The id of the job that is there now: this one, or the one that has its key. Raises `KeyTakenError`."""
        given = (job.id, job.target, job.headers, job.input, job.input_size, job.request_id, job.key, job.digest)
        while not self._rows(INSERT, given):
            same = self._rows(SAME, (timedelta(hours=KEY_HOURS), job.key, job.id, job.id))
            if not same or same[0].id == job.id:
                if same:
                    return job.id
                continue  # it has been removed in between
            if not same[0].old:
                if same[0].digest != job.digest:
                    raise KeyTakenError
                return UUID(str(same[0].id))
            self._rows(FORGET_KEY, (same[0].id,))
        return job.id

    def get(self, job: UUID) -> Job | None:
        found = self._rows(GET, (job,))
        return Job(*found[0]) if found else None

    def position(self, job: UUID) -> int:
        """How many queued jobs are before it, counted to `FAR`."""
        return int(self._rows(POSITION, (job, FAR))[0].ahead)

    def queued(self, at_most: int) -> int:
        return int(self._rows(QUEUED, (at_most,))[0].queued)

    def result(self, job: UUID) -> bytes | None:
        """None when it is in S3, or gone."""
        found = self._rows(RESULT, (job,))
        return found[0].result if found else None

    def cancel(self, job: UUID) -> str | None:
        """The state that it was in; None when it had ended already, or is not there."""
        found = self._rows(CANCEL, (job,))
        return str(found[0].was) if found else None

    def unpublished(self, jobs: Sequence[UUID]) -> None:
        """No message went out for these: the sweeper is to send one."""
        self._rows(UNPUBLISHED, (list(jobs),))

    def newest(self, state: str | None, count: int) -> list[Job]:
        return [Job(*row) for row in self._rows(LIST, (state, state, count))]

    def counts(self) -> dict[str, int]:
        rows: list[Row] = self._rows(COUNTS)
        return {row.state: row.jobs for row in rows}

"""What a worker asks of the jobs' table: a job to run, and to write down what came of it.

`attempt` is the fence: whoever lost a job to another can write nothing about it any more.
"""

from dataclasses import dataclass
from datetime import timedelta
from typing import NamedTuple
from uuid import UUID

from jobs.database import Database

LEASE_SECONDS = 90  # longer than the longest wait for a model server, and its longest answer

START = """UPDATE jobs SET state = 'running', attempt = attempt + 1, started = now(), publish_at = NULL,
 lease = now() + %s
 WHERE id = %s AND (state = 'queued' OR state = 'running' AND (%s OR lease < now()))
 RETURNING attempt, target, headers, input, input_size, request_id, reason, created"""
END = """UPDATE jobs SET state = %s, ended = now(), lease = NULL, status = %s, result = %s, result_size = %s,
 result_type = %s, deployment = %s, model = %s, reason = %s, dead = %s,
 input = CASE WHEN %s THEN input END
 WHERE id = %s AND state = 'running' AND attempt = %s RETURNING id"""
AGAIN = """UPDATE jobs SET state = 'queued', publish_at = now() + %s, lease = NULL, reason = %s,
 attempt = attempt - %s WHERE id = %s AND state = 'running' AND attempt = %s RETURNING id"""
ENDED = "SELECT state, attempt FROM jobs WHERE id = %s"


class Started(NamedTuple):
    attempt: int
    target: str
    headers: str
    input: bytes | None
    input_size: int
    request_id: str
    reason: str | None
    created: object


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """How a job ended. `result` is None when the answer is in S3, or when there was none (`size` is then None too)."""

    state: str
    reason: str | None = None
    status: int | None = None
    result: bytes | None = None
    size: int | None = None
    content_type: str | None = None
    deployment: str | None = None
    model: str | None = None
    dead: bool = False


class Runs:
    def __init__(self, database: Database) -> None:
        self._rows = database.rows

    def start(self, job: UUID, *, take_over: bool) -> Started | None:
        """None when there is nothing to do: ended, cancelled, or another runs it. `take_over`: that one is gone."""
        found = self._rows(START, (timedelta(seconds=LEASE_SECONDS), job, take_over))
        return Started(*found[0]) if found else None

    def end(self, job: UUID, attempt: int, outcome: Outcome) -> bool:
        """Whether it was ours to end. The input of a job that failed is kept, for another try by hand."""
        answer = (outcome.status, outcome.result, outcome.size, outcome.content_type)
        served = (outcome.deployment, outcome.model, outcome.reason, outcome.dead)
        failed = outcome.state == "failed"
        return bool(self._rows(END, (outcome.state, *answer, *served, failed, job, attempt))) or self._is(
            job, attempt, outcome.state
        )

    def again(self, job: UUID, attempt: int, seconds: float, reason: str, *, counts: bool) -> bool:
        """Back into the queue after a while. `counts`: the attempt was one."""
        wait = timedelta(seconds=seconds)
        return bool(self._rows(AGAIN, (wait, reason, 0 if counts else 1, job, attempt)))

    def _is(self, job: UUID, attempt: int, state: str) -> bool:
        """Whether our own statement was done though its connection broke."""
        found = self._rows(ENDED, (job,))
        return bool(found) and (found[0].state, found[0].attempt) == (state, attempt)

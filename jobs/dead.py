"""Jobs that were given up, and the messages that nobody could use: looked at, put back, or dropped.

The rows say which jobs are dead; the broker's queue of dead letters follows, and alone knows of messages not ours.
"""

import json
from collections.abc import Callable, Sequence
from uuid import UUID

from celery import Celery
from kombu import Connection

from jobs import broker
from jobs.config import Config
from jobs.database import Database

AGAIN = """UPDATE jobs SET state = 'queued', dead = false, attempt = 0, publish_at = now(), ended = NULL,
 started = NULL, status = NULL, result = NULL, result_size = NULL, result_type = NULL, deployment = NULL,
 model = NULL, reason = NULL
 WHERE state = 'failed' AND dead AND (%s OR id = ANY(%s)) RETURNING id"""
DROP = "UPDATE jobs SET dead = false WHERE state = 'failed' AND dead AND (%s OR id = ANY(%s)) RETURNING id"
DEAD = "SELECT id FROM jobs WHERE dead"


class Dead:
    """`only` names jobs; without any it is all of them, and the messages that are not ours."""

    def __init__(self, found: Config, database: Database) -> None:
        self._config, self._rows = found, database.rows

    def requeue(self, only: Sequence[UUID]) -> list[str]:
        """The jobs that are queued anew, with all their attempts. Messages not ours stay."""
        jobs = [str(row.id) for row in self._rows(AGAIN, (not only, list(only)))]
        self._clear(foreign=False)
        return jobs

    def drop(self, only: Sequence[UUID]) -> list[str]:
        """The jobs that stay failed and are looked at no more."""
        jobs = [str(row.id) for row in self._rows(DROP, (not only, list(only)))]
        self._clear(foreign=not only)
        return jobs

    def foreign(self) -> list[dict[str, str]]:
        """The messages that are not ours, as far as they can be shown."""
        found: list[dict[str, str]] = []

        def look(job: UUID | None, message: object) -> bool:
            if job is None:
                headers, body = getattr(message, "headers", None), getattr(message, "body", b"")
                found.append({"headers": str(headers)[:200], "body": repr(body)[:200]})
            return False

        self._each(look)
        return found

    def _clear(self, *, foreign: bool) -> None:
        """Removes the messages of jobs that are dead no more, and with `foreign` those that are not ours."""
        dead = {UUID(str(row.id)) for row in self._rows(DEAD)}
        self._each(lambda job, _: foreign if job is None else job not in dead)

    def _each(self, done: Callable[[UUID | None, object], bool]) -> None:
        """Removes each message of which `done` says so; the others are put back when all have been seen."""
        app: Celery = broker.application(self._config)
        with app.connection_for_read() as connection:
            assert isinstance(connection, Connection)
            channel = connection.channel()
            queue = broker.DEAD_QUEUE(channel)
            queue.declare()
            while (message := queue.get(no_ack=False, accept=["json"])) is not None:
                if done(self._job(message), message):
                    message.ack()
            channel.close()

    def _job(self, message: object) -> UUID | None:
        try:
            body = json.loads(getattr(message, "body", b""))
        except (ValueError, TypeError):
            return None
        return broker.job_of(getattr(message, "headers", None), body, self._config.stack)

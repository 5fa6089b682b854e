"""Takes jobs in and tells of them, free of HTTP: what the routes call, over PostgreSQL, payloads and the publisher."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from uuid import UUID

from jobs import ids, payloads, requests
from jobs.config import Config
from jobs.database import AWAY, Database
from jobs.errors import (
    AwayError,
    ConflictError,
    ExpiredError,
    FailedError,
    FullError,
    KeyReusedError,
    NotEndedError,
    NotFoundError,
)
from jobs.fullness import Fullness
from jobs.publisher import Publisher
from jobs.store import Job, KeyTakenError, NewJob, Store

THREADS = 16
CONNECTIONS = 4  # to the database, of each process: one is busy for a millisecond or two, and a small RDS has few
OPEN_STATES = ("queued", "running")

log = logging.getLogger("jobs.accept")


@dataclass(frozen=True)
class Told:
    """`content` is there when it is small, `position` while the job is queued."""

    job: Job
    position: int | None
    content: bytes | None


class Desk:
    """One per process; `start` after the fork."""

    def __init__(self, found: Config) -> None:
        self._limits = found.limits
        self._database = Database(found.conninfo, CONNECTIONS)
        self._store = Store(self._database)
        self._payloads = payloads.of(found)
        self._publisher = Publisher(self._store.unpublished)
        self._fullness = Fullness(found.limits.queue, self._store.queued)

    def start(self) -> None:
        self._database.open()
        self._publisher.start()
        self._fullness.start()

    def stop(self) -> None:
        self._fullness.stop()
        self._publisher.stop()
        self._database.close()

    def accept(self, address: str, headers: Mapping[str, str], body: bytes, request_id: str) -> UUID:
        """The job's id, once it cannot be lost any more. Raises `JobsError`."""
        key = requests.idempotency_key(headers.get(requests.KEY))
        if not self._fullness.admit():
            limit = self._limits.queue
            raise FullError(f"{limit} jobs are queued, which is as many as there may be; ask again later")
        kept = requests.kept(headers)
        digest = requests.digest(address, kept, body) if key else None
        job, inline = ids.new(), self._payloads.inline(len(body))
        new = NewJob(
            id=job,
            target=address,
            headers=kept,
            input=body if inline else None,
            input_size=len(body),
            request_id=request_id,
            key=key,
            digest=digest,
        )
        try:
            if not inline:
                self._payloads.put_input(job, body)
            there = self._store.insert(new)
        except KeyTakenError:
            raise KeyReusedError(f"{requests.KEY} {key!r} was used for another request") from None
        except (*AWAY, *payloads.AWAY, *payloads.REFUSED) as error:
            raise _away("the job was not accepted", error) from error
        if there == job:
            self._publisher.send(job)
        log.info("accepted", extra={"job": str(there), "request_id": request_id, "bytes": len(body)})
        return there

    def tell(self, job: UUID) -> Told:
        """Raises `JobsError`, as all of these do."""
        try:
            found = self._job(job)
            position = self._store.position(job) if found.state == "queued" else None
            small = found.result_size is not None and self._payloads.inline(found.result_size)
            return Told(found, position, self._store.result(job) if small else None)
        except AWAY as error:
            raise _away("the job cannot be looked up now", error) from error

    def result(self, job: UUID) -> tuple[Job, bytes]:
        """The very bytes of the model server's answer."""
        try:
            found = self._job(job)
            if found.state in OPEN_STATES:
                raise NotEndedError(f"the job is {found.state}")
            if found.state == "cancelled":
                raise ConflictError("the job was cancelled: there is no result")
            if found.result_size is None:
                raise FailedError(found.reason or "the job failed")
            if self._payloads.inline(found.result_size):
                return found, self._store.result(job) or b""
            return found, self._payloads.get_result(job, found.attempt)
        except (*AWAY, *payloads.AWAY, *payloads.REFUSED) as error:
            raise _away("the result cannot be had now", error) from error

    def cancel(self, job: UUID) -> str:
        """The state that it was in: `queued` or `running`."""
        try:
            was = self._store.cancel(job)
            if was is None:
                raise ConflictError(f"the job has ended already: it is {self._job(job).state}")
            return was
        except AWAY as error:
            raise _away("the job cannot be cancelled now", error) from error

    def health(self) -> dict[str, object]:
        try:
            queued: int | None = self._store.queued(self._limits.queue)
        except AWAY:
            queued = None
        return {"database": queued is not None, "broker": self._publisher.connected, "queued": queued}

    def _job(self, job: UUID) -> Job:
        found = self._store.get(job)
        if found is None:
            hours = self._limits.retention_hours
            if ids.age_seconds(job) > hours * 3600:
                raise ExpiredError(f"the job is gone: jobs are kept for {hours} hours after their end")
            raise NotFoundError(f"there is no job {job}")
        return found


def _away(consequence: str, error: Exception) -> AwayError:
    log.warning(consequence, extra={"error": f"{type(error).__name__}: {error}"[:300]})
    return AwayError(f"{consequence}; ask again later")

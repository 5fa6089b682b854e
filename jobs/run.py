"""One job from its message to its written answer, whatever is away meanwhile.

A worker that cannot reach the database, or finds no model server, holds its message and waits: then no other job is
taken only to fail the same way. What it holds goes to another worker when it ends.
"""

import logging
import threading
import time
from collections.abc import Callable
from typing import TypeVar
from uuid import UUID

from jobs import payloads
from jobs.config import Config
from jobs.database import AWAY, Database
from jobs.runs import Outcome, Runs, Started
from jobs.scoring import Answer, BrokenError, ModelServer, UnavailableError

PAUSE_SECONDS = 0.5
LONGEST_PAUSE_SECONDS = 5.0
WAIT_SECONDS = 30.0  # for a model server, before another node may try
HAND_BACK_SECONDS = 5.0
BACKOFF_SECONDS = 1.0  # after a first failure, then four times as long each time
LONGEST_BACKOFF_SECONDS = 300.0

log = logging.getLogger("jobs.worker")

T = TypeVar("T")


class StoppingError(Exception):
    """This worker ends: the message goes back."""


class PoisonError(Exception):
    """The job has failed as often as it may: its message belongs to the dead."""


class Runner:
    """Of one worker process; its threads share it."""

    def __init__(self, found: Config, database: Database) -> None:
        self._limits = found.limits
        self._runs = Runs(database)
        self._payloads = payloads.of(found)
        self._server = ModelServer(found.model_server)
        self._stopping = threading.Event()

    def stop(self) -> None:
        self._stopping.set()

    def run(self, job: UUID, *, redelivered: bool) -> None:
        """Raises `PoisonError` or `StoppingError`; else the message has done its work."""
        begun = time.monotonic()
        started = self._held(lambda: self._runs.start(job, take_over=redelivered))
        if started is None:
            log.info("nothing to do", extra={"job": str(job), "redelivered": redelivered})
            return
        if started.attempt > self._limits.attempts:
            self._give_up(job, started, started.reason or "its worker ended while it ran")
        try:
            self._answered(job, started, self._answer(job, started), begun)
        except UnavailableError as error:
            self._again(job, started, HAND_BACK_SECONDS, str(error), counts=False)
        except (BrokenError, *payloads.REFUSED) as error:
            self._failed(job, started, str(error))

    def _answer(self, job: UUID, started: Started) -> Answer:
        body = started.input
        if body is None:
            body = self._held(lambda: self._payloads.get_input(job))
        deadline, pause = time.monotonic() + WAIT_SECONDS, PAUSE_SECONDS
        while True:
            try:
                return self._server.ask(started.target, started.headers, body, started.request_id)
            except UnavailableError:
                if time.monotonic() > deadline or self._stopping.wait(pause):
                    raise
                pause = min(2 * pause, LONGEST_PAUSE_SECONDS)

    def _answered(self, job: UUID, started: Started, answer: Answer, begun: float) -> None:
        if answer.status >= 500:
            self._failed(job, started, f"the model server answered {answer.status}: {_shown(answer)}", answer)
            return
        outcome = self._outcome("succeeded" if answer.status < 400 else "failed", answer)
        self._end(job, started, outcome, begun)

    def _failed(self, job: UUID, started: Started, reason: str, answer: Answer | None = None) -> None:
        if started.attempt >= self._limits.attempts:
            self._give_up(job, started, reason, answer)
        seconds = min(BACKOFF_SECONDS * 4 ** (started.attempt - 1), LONGEST_BACKOFF_SECONDS)
        self._again(job, started, seconds, reason, counts=True)

    def _give_up(self, job: UUID, started: Started, reason: str, answer: Answer | None = None) -> None:
        text = f"given up after {min(started.attempt, self._limits.attempts)} attempts: {reason}"
        self._end(job, started, self._outcome("failed", answer, reason=text, dead=True), time.monotonic())
        raise PoisonError(text)

    def _outcome(self, state: str, answer: Answer | None, *, reason: str | None = None, dead: bool = False) -> Outcome:
        if answer is None:
            return Outcome(state=state, reason=reason, dead=dead)
        return Outcome(
            state=state,
            reason=reason or (f"the model server answered {answer.status}" if state == "failed" else None),
            status=answer.status,
            result=answer.body,
            size=len(answer.body),
            content_type=answer.content_type,
            deployment=answer.deployment,
            model=answer.model,
            dead=dead,
        )

    def _end(self, job: UUID, started: Started, outcome: Outcome, begun: float) -> None:
        written = self._held(lambda: self._write(job, started.attempt, outcome))
        facts = {
            "job": str(job),
            "request_id": started.request_id,
            "state": outcome.state if written else "discarded",
            "attempt": started.attempt,
            "deployment": outcome.deployment,
            "model": outcome.model,
            "reason": outcome.reason,
            "ms": round((time.monotonic() - begun) * 1000, 1),
        }
        log.info("ended", extra={name: value for name, value in facts.items() if value is not None})

    def _write(self, job: UUID, attempt: int, outcome: Outcome) -> bool:
        """Whether the answer counts: not when the job was cancelled, or is another's by now."""
        if outcome.result is not None and not self._payloads.inline(len(outcome.result)):
            self._payloads.put_result(job, attempt, outcome.result)
            outcome = Outcome(**{**vars(outcome), "result": None})
        return self._runs.end(job, attempt, outcome)

    def _again(self, job: UUID, started: Started, seconds: float, reason: str, *, counts: bool) -> None:
        self._held(lambda: self._runs.again(job, started.attempt, seconds, reason, counts=counts))
        facts = {"job": str(job), "request_id": started.request_id, "attempt": started.attempt, "reason": reason}
        log.warning("again later", extra=facts)

    def _held(self, act: Callable[[], T]) -> T:
        """What `act` returns, once the database and S3 are there. Raises `StoppingError` when this worker ends."""
        pause = PAUSE_SECONDS
        while True:
            try:
                return act()
            except (*AWAY, *payloads.AWAY) as error:
                log.warning("waiting", extra={"error": f"{type(error).__name__}: {error}"[:300]})
                if self._stopping.wait(pause):
                    raise StoppingError from error
                pause = min(2 * pause, LONGEST_PAUSE_SECONDS)


def _shown(answer: Answer) -> str:
    return answer.body[:200].decode(errors="replace").strip()

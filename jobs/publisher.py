"""Sends messages for jobs from a thread of its own, many with one wait for the broker's confirmation.

A job is accepted once its row is written. A message that cannot be sent is only noted in its row, for the sweeper.
"""

import logging
import queue
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any
from uuid import UUID

from celery import Celery
from kombu import Connection, Producer

from jobs import broker, config
from jobs.config import Config, ConfigError
from jobs.database import AWAY

AT_ONCE = 500
WAITING = 20_000
CONFIRM_SECONDS = 10.0
PAUSE_SECONDS = 2.0
END_SECONDS = 5.0

log = logging.getLogger(__name__)

Failed = Callable[[Sequence[UUID]], None]


class NotConfirmedError(Exception):
    """The broker has refused messages, or was silent for too long."""


class Channel:
    """A connection to the broker on which every message is confirmed. Not for two threads at once."""

    def __init__(self, found: Config) -> None:
        self._app: Celery = broker.application(found)
        self._stack = found.stack
        self._connection: Connection = self._app.connection_for_write()
        self._connection.connect()
        self._channel: Any = self._connection.channel()
        for each in (broker.DEAD_QUEUE, broker.QUEUE):
            each(self._channel).declare()
        self._channel.confirm_select()
        self._channel.events["basic_ack"].add(self._confirmed)
        self._channel.events["basic_nack"].add(self._refused)
        self._producer = Producer(self._channel)
        self._tag = 0
        self._open: set[int] = set()
        self._nacked = False

    def publish(self, jobs: Sequence[UUID]) -> None:
        """Returns when the broker has them all. Raises `NotConfirmedError`, or one of `broker.AWAY` as all of these."""
        for job in jobs:
            words = broker.arguments(job, self._stack)
            self._app.send_task(broker.TASK, words, task_id=str(job), producer=self._producer, ignore_result=True)
            self._tag += 1  # the broker counts them the same way
            self._open.add(self._tag)
        deadline = time.monotonic() + CONFIRM_SECONDS
        while self._open:
            left = deadline - time.monotonic()
            if self._nacked or left <= 0:
                raise NotConfirmedError("the broker does not confirm messages")
            self._connection.drain_events(timeout=left)

    def waiting(self) -> int:
        """How many messages nobody has taken yet."""
        return int(self._channel.queue_declare(broker.NAME, passive=True).message_count)

    def beat(self) -> None:
        """To be called now and then: each side ends a connection that is silent for long."""
        with suppress(TimeoutError):
            self._connection.drain_events(timeout=0.001)
        self._connection.heartbeat_check()

    def close(self) -> None:
        self._connection.collect(1.0)

    def _confirmed(self, tag: int, multiple: bool) -> None:
        if multiple:
            self._open = {each for each in self._open if each > tag}
        else:
            self._open.discard(tag)

    def _refused(self, _tag: int, _multiple: bool) -> None:
        self._nacked = True


class Link:
    """A `Channel` that is made anew when it broke, with the settings as they are then."""

    def __init__(self) -> None:
        self._channel: Channel | None = None
        self._not_before = 0.0
        self.connected = False

    def publish(self, jobs: Sequence[UUID]) -> bool:
        """Whether the broker has them all."""
        return self._use(lambda channel: channel.publish(jobs)) is not False

    def waiting(self) -> int | None:
        """None when the broker does not say."""
        found: int | bool = self._use(Channel.waiting)
        return None if found is False else int(found)

    def beat(self) -> None:
        self._use(Channel.beat)

    def close(self) -> None:
        if self._channel:
            self._channel.close()
        self._channel, self.connected = None, False

    def _use(self, act: Callable[[Channel], Any]) -> Any:
        """False when the broker is away, and for a moment after that without asking it."""
        if self._channel is None and time.monotonic() < self._not_before:
            return False
        try:
            if self._channel is None:
                self._channel = Channel(config.read())
            found = act(self._channel)
        except (NotConfirmedError, ConfigError, *broker.AWAY) as error:
            if self.connected or not self._not_before:
                log.warning("the broker is away", extra={"error": f"{type(error).__name__}: {error}"[:300]})
            self.close()
            self._not_before = time.monotonic() + PAUSE_SECONDS
            return False
        if not self.connected:
            log.info("connected to the broker")
        self.connected = True
        return found


class Publisher:
    def __init__(self, failed: Failed) -> None:
        self._failed = failed
        self._jobs: queue.Queue[UUID | None] = queue.Queue(WAITING)
        self._link = Link()
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._work, name="publisher", daemon=True)

    @property
    def connected(self) -> bool:
        return self._link.connected

    def start(self) -> None:
        self._thread.start()

    def send(self, job: UUID) -> None:
        """Never waits. What there is no room for is found by the sweeper."""
        try:
            self._jobs.put_nowait(job)
        except queue.Full:
            log.warning("no room for another message", extra={"job": str(job)})

    def stop(self) -> None:
        """Sends what has come in, for some seconds."""
        self._ended.set()
        self._thread.join(END_SECONDS)

    def _work(self) -> None:
        while not (self._ended.is_set() and self._jobs.empty()):
            jobs = self._batch()
            if not jobs:
                self._link.beat()
            elif not self._link.publish(jobs):
                self._note(jobs)
        self._link.close()

    def _batch(self) -> list[UUID]:
        """What has come in by now; empty when nothing does for a while."""
        jobs: list[UUID] = []
        try:
            first = self._jobs.get(timeout=0.5)
            while first is not None:
                jobs.append(first)
                if len(jobs) == AT_ONCE:
                    break
                first = self._jobs.get_nowait()
        except queue.Empty:
            pass
        return jobs

    def _note(self, jobs: Sequence[UUID]) -> None:
        try:
            self._failed(jobs)
        except AWAY as error:
            log.warning("jobs without a message are left to be found", extra={"jobs": len(jobs), "error": str(error)})

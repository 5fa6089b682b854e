"""Finds jobs that nobody would ever run, and what is kept too long; in one worker of the stack at a time.

A message may be lost: with the broker's disk, or with a process between a row and its message. The queue is in the
order of publishing, so a queued job that younger ones have overtaken by a minute has lost its message, and so has every
job that still waits when the queue is empty.
"""

import logging
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from uuid import UUID

import psycopg

from jobs import payloads
from jobs.config import Config
from jobs.database import Database
from jobs.publisher import Link
from jobs.store import KEY_HOURS, Store

LOCK = 7_305_802  # of pg_try_advisory_lock: one sweeper of the stack
TICK_SECONDS = 1.0
SWEEP_SECONDS = 15.0
ELECTION_SECONDS = 5.0
LOST_SECONDS = 60.0
AT_ONCE = 2000

DUE = """UPDATE jobs SET publish_at = NULL, published = now() WHERE id IN (
 SELECT id FROM jobs WHERE publish_at <= now() ORDER BY publish_at LIMIT %s FOR UPDATE SKIP LOCKED)
 AND state = 'queued' RETURNING id"""
LEASES = """UPDATE jobs SET state = 'queued', publish_at = now(), lease = NULL,
 reason = coalesce(reason, 'its worker ended while it ran') WHERE state = 'running' AND lease < now() RETURNING id"""
LOST = """UPDATE jobs SET publish_at = now() WHERE id IN (
 SELECT id FROM jobs WHERE state = 'queued' AND publish_at IS NULL AND published < now() - %s
 AND (%s OR published < (SELECT max(published) FROM jobs WHERE state = 'running') - %s) ORDER BY id LIMIT %s)
 AND state = 'queued' RETURNING id"""
EXPIRED = """DELETE FROM jobs WHERE id IN (SELECT id FROM jobs WHERE ended < now() - %s ORDER BY ended LIMIT %s)
 RETURNING id, attempt, input_size, coalesce(result_size, 0) AS result_size"""
THERE = "SELECT id FROM jobs WHERE id = ANY(%s)"
KEYS = "UPDATE jobs SET key = NULL WHERE key IS NOT NULL AND created < now() - %s"

log = logging.getLogger("jobs.sweeper")


class Sweeper:
    def __init__(self, found: Config, database: Database) -> None:
        self._config, self._rows = found, database.rows
        self._store = Store(database)
        self._payloads = payloads.of(found)
        self._link = Link()
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._work, name="sweeper", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._ended.set()

    def publish_due(self) -> int:
        """Sends messages for the jobs whose time has come. Returns how many."""
        jobs = [UUID(str(row.id)) for row in self._rows(DUE, (AT_ONCE,))]
        if jobs and not self._link.publish(jobs):
            self._store.unpublished(jobs)
            return 0
        return len(jobs)

    def sweep(self) -> None:
        waiting = self._link.waiting()
        lost = timedelta(seconds=LOST_SECONDS)
        found = {
            "leases": len(self._rows(LEASES)),
            "lost": len(self._rows(LOST, (lost, waiting == 0, lost, AT_ONCE))),
            "expired": self._expire(),
            "forgotten": self._forget(),
        }
        self._rows(KEYS, (timedelta(hours=KEY_HOURS),))
        if any(found.values()):
            log.info("swept", extra=found)

    def _expire(self) -> int:
        rows = self._rows(EXPIRED, (timedelta(hours=self._config.limits.retention_hours), AT_ONCE))
        stored = [row for row in rows if not all(map(self._payloads.inline, (row.input_size, row.result_size)))]
        try:
            self._payloads.remove((UUID(str(row.id)), row.attempt) for row in stored)
        except (*payloads.AWAY, *payloads.REFUSED) as error:  # the bucket's own rule removes them a little later
            log.warning("payloads are left to the bucket's lifecycle", extra={"error": str(error)[:300]})
        return len(rows)

    def _forget(self) -> int:
        """Payloads of jobs that were never written, or went without them, where no rule of a bucket removes them."""
        try:
            found = self._payloads.forgotten(self._config.limits.retention_hours * 3600)
            if not found:
                return 0
            there = {UUID(str(row.id)) for row in self._rows(THERE, (list(set(found.values())),))}
            gone = [key for key, job in found.items() if job not in there]
            self._payloads.discard(gone)
        except (*payloads.AWAY, *payloads.REFUSED) as error:
            log.warning("forgotten payloads are left for now", extra={"error": str(error)[:300]})
            return 0
        return len(gone)

    def _work(self) -> None:
        while not self._ended.is_set():
            try:
                with self._elected() as elected:
                    if elected is not None:
                        self._turn(elected)
            except psycopg.Error as error:
                log.warning("the database is away", extra={"error": f"{type(error).__name__}: {error}"[:300]})
            self._ended.wait(ELECTION_SECONDS)
        self._link.close()

    def _turn(self, elected: "psycopg.Connection[tuple[object, ...]]") -> None:
        """As long as the lock is ours: it goes with its connection."""
        next_sweep = 0.0
        while not self._ended.wait(TICK_SECONDS):
            elected.execute("SELECT 1")
            while self.publish_due() == AT_ONCE:
                pass
            self._link.beat()
            if time.monotonic() >= next_sweep:
                self.sweep()
                next_sweep = time.monotonic() + SWEEP_SECONDS

    @contextmanager
    def _elected(self) -> Iterator["psycopg.Connection[tuple[object, ...]] | None"]:
        """None when another worker sweeps."""
        with psycopg.connect(self._config.conninfo, autocommit=True) as connection:
            row = connection.execute("SELECT pg_try_advisory_lock(%s)", (LOCK,)).fetchone()
            yield connection if row and row[0] else None

"""Waits for rows in the training tables, and begins one run for all that came in a while.

PostgreSQL's NOTIFY only wakes it; what it works on is the outbox, so it may be away as long as it likes.
"""

import json
import time
from collections.abc import Callable
from dataclasses import dataclass, field

import psycopg

from ops.pipelines import files, outbox
from ops.pipelines.airflow import Airflow, NotAcceptedError
from ops.pipelines.facts import Facts
from ops.pipelines.outbox import Database

BUSY_SECONDS = 1.0
IDLE_SECONDS = 10.0
AWAY_SECONDS = 5.0


def log(event: str, **about: object) -> None:
    print(json.dumps({"event": event, **about}), flush=True)


@dataclass
class Listener:
    facts: Facts
    airflow: Airflow
    say: Callable[..., None] = log
    _said: dict[str, str] = field(default_factory=dict)

    def run(self) -> None:
        """Until it is ended. What is away is waited for."""
        while True:
            try:
                with psycopg.connect(files.address(self.facts, files.TRAINING), autocommit=True) as connection:
                    connection.execute(f"LISTEN {outbox.CHANNEL}")
                    outbox.prepare(connection)
                    while True:
                        pause = BUSY_SECONDS if self.work(connection) else IDLE_SECONDS
                        for _ in connection.notifies(timeout=pause, stop_after=1):
                            pass
            except psycopg.Error as error:
                self._once("database", str(error).strip().partition("\n")[0])
                time.sleep(AWAY_SECONDS)

    def work(self, connection: Database) -> bool:
        """Begins what is due. Whether anything is left in the outbox."""
        self._once("tables", self._unfollowed(connection))
        for pipeline, run in outbox.claim(connection, self.facts.debounce_seconds):
            try:
                new = self.airflow.begin(pipeline, run, f"new rows in {self.facts.tables.get(pipeline, 'its table')}")
            except NotAcceptedError as error:
                self._once(pipeline, error.message)
                continue
            lines = outbox.taken(connection, pipeline, run)
            self._once(pipeline, "")
            self.say("begun" if new else "begun before", pipeline=pipeline, run=run, inserts=lines)
        return outbox.waiting(connection)

    def _unfollowed(self, connection: Database) -> str:
        """Which tables cannot be followed, in words: what is wrong with one keeps no other's rows waiting."""
        try:
            missing = outbox.follow(connection, self.facts.tables)
        except psycopg.errors.InsufficientPrivilege as error:
            return f"a table is not {files.TRAINING.role}'s own: {error.diag.message_primary}"
        return f"no table {', '.join(missing)} yet" if missing else ""

    def _once(self, about: str, trouble: str) -> None:
        """A trouble is told when it comes, not each time it is met."""
        if trouble and self._said.get(about) != trouble:
            self.say("waiting", about=about, message=trouble)
        self._said[about] = trouble

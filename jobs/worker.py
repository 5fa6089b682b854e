"""`python3 -m jobs.worker`: a Celery worker on threads, since a job waits for the model server and computes nothing.

The sweeper runs beside it. The process ends with an error when the broker stays away, so that its unit starts it anew
with the broker's present address.
"""

import logging
import sys
from typing import Any
from uuid import UUID

from celery import Celery, signals
from celery.exceptions import Reject

from jobs import broker, config, logs
from jobs.config import Config, ConfigError
from jobs.database import Database
from jobs.run import PoisonError, Runner, StoppingError
from jobs.sweeper import Sweeper

log = logging.getLogger("jobs.worker")


def make(found: Config, runner: Runner) -> Celery:
    app = broker.application(found)
    app.conf.slipway_stack = found.stack

    @app.task(name=broker.TASK, bind=True, max_retries=None)  # type: ignore[untyped-decorator]
    def job(self: Any, job: str, _stack: str) -> None:
        try:
            runner.run(UUID(job), redelivered=bool((self.request.delivery_info or {}).get("redelivered")))
        except PoisonError as error:
            raise Reject(str(error), requeue=False) from error
        except StoppingError as error:
            raise Reject(str(error), requeue=True) from error

    return app


def work(found: Config) -> int:
    """Until a signal, or until the broker has been away for long. Returns the exit status."""
    # A job needs the database for a moment at its begin and at its end: two threads share a connection well.
    database = Database(found.conninfo, found.limits.concurrency // 2 + 2)
    database.open()
    runner, sweeper = Runner(found, database), Sweeper(found, database)
    app = make(found, runner)
    signals.setup_logging.connect(_keep_logs, weak=False)
    signals.worker_shutting_down.connect(lambda **_: runner.stop(), weak=False)
    signals.worker_ready.connect(_say_so, weak=False)
    sweeper.start()
    worker = app.Worker(
        pool="threads",
        concurrency=found.limits.concurrency,
        without_gossip=True,
        without_mingle=True,
        without_heartbeat=True,
        send_events=False,
        quiet=True,
        loglevel="INFO",
    )
    worker.start()
    sweeper.stop()
    database.close()
    return int(worker.exitcode or 0)


def _keep_logs(**_: object) -> None:
    """Celery sets up no logs of its own when somebody answers this signal."""


def _say_so(**_: object) -> None:
    log.info("takes jobs")


def main() -> None:
    logs.to_stdout()
    try:
        found = config.read()
    except ConfigError as error:
        sys.exit(f"the jobs worker does not start: {error}")
    sys.exit(work(found))


if __name__ == "__main__":
    main()

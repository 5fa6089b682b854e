"""`make bench-jobs`: what asynchronous predictions do on this machine, every part of them for real. As root.

Everything shares the machine's processors: PostgreSQL, RabbitMQ, the load, and one model server for each worker.
Workers have what nobody else wants of the processors, as their unit has it. While synchronous predictions are timed,
so have PostgreSQL, RabbitMQ and S3: on AWS they are on machines of their own, and take none of a node's processors.
"""

import argparse
import os
import statistics
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

from localcloud.cgroup import Cgroup
from localcloud.image import Image
from localcloud.process import Process
from ops.errors import UserError, interruptible, reported
from ops.steps import Step, Steps
from tests.bench.jobs.figures import Figure, missed, table
from tests.bench.jobs.idle import idle_group, move, set_idle, set_idle_class
from tests.bench.serving import load
from tests.bench.serving.load import Request
from tests.bench.serving.process import Address, processes, tree
from tests.machines import jobs_models
from tests.machines.jobs_stage import Stage, stage
from tests.waiting import until

SMALL, WAITING = "/predict/linear", "/predict/echo"
JSON = {"Content-Type": "application/json"}
CONNECTIONS = 32
WAIT_SECONDS = 0.02
THREADS = 2  # of each worker whose jobs wait: few, so that it is the workers that are counted, not the processors
SYNCHRONOUS_PER_SECOND = 40
SYNCHRONOUS_CONNECTIONS = 4
SYNCHRONOUS_TIMES = 5
AT_MOST_PER_SECOND = 1000
"""Jobs that one worker completes: a queue that is to last is filled for that."""


def main(words: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="make bench-jobs", description=__doc__)
    parser.add_argument("--seconds", type=float, default=8.0, help="of load per figure")
    parser.add_argument("--jobs", type=int, default=4000, help="that are queued before workers begin")
    parser.add_argument("--only", default="accept,work,scale,synchronous", help="of these figures")
    given = parser.parse_args(words)
    interruptible()
    with reported("bench jobs"):
        if os.geteuid():
            raise UserError("the services need network namespaces of their own", "run it as root")
        load.program()
        Image().ensure(print)
        figures: list[Figure] = []
        try:
            measure(given, figures)
        finally:
            print(table(figures))
        if short := missed(figures):
            print(f"not reached: {'; '.join(short)}")
            sys.exit(1)


def measure(given: argparse.Namespace, figures: list[Figure]) -> None:
    """Adds to the figures, so that those before a part that fails are not lost with it."""
    steps, chosen = Steps(), given.only.split(",")
    with (
        tempfile.TemporaryDirectory() as folder,
        idle_group() as idle,
        stage(model_workers=None, queue=10_000_000) as found,
    ):
        bench = Bench(found, idle, Path(folder), given.seconds, given.jobs)
        parts: dict[str, Callable[[Step], list[Figure]]] = {
            "accept": bench.accept,
            "work": bench.work,
            "scale": bench.scale,
            "synchronous": bench.synchronous,
        }
        found.accept()
        for name in (each for each in parts if each in chosen):
            with steps.step(name) as step:
                figures += parts[name](step)
                found.sql("TRUNCATE jobs")


class Bench:
    def __init__(self, found: Stage, idle: Cgroup, folder: Path, seconds: float, jobs: int) -> None:
        self._stage, self._idle, self._folder, self._seconds, self._jobs = found, idle, folder, seconds, jobs

    def accept(self, step: Step) -> list[Figure]:
        """Nobody works meanwhile: the queue only grows."""
        step.say("accepting")
        found = load.closed(
            self._request(f"{SMALL}?async=true"),
            Address(socket=self._stage.folder / "accept.sock"),
            self._folder,
            connections=CONNECTIONS,
            seconds=self._seconds,
            warm_up_seconds=1,
        )
        return [
            Figure("accepted", found.rate, "jobs/s", at_least=500),
            Figure("accepted, p99", found.p99_ms, "ms"),
            Figure("refused or unanswered", found.errors + found.refused, "", at_most=0),
        ]

    def work(self, step: Step) -> list[Figure]:
        self._fill(self._jobs)
        step.say("one worker")
        rate = self._drain([self._worker("jobs")], self._jobs)
        return [Figure("completed, one worker, small jobs", rate, "jobs/s", at_least=300)]

    def scale(self, step: Step) -> list[Figure]:
        """The same jobs, each of which waits, with one worker and with three, each beside a model server of its own."""
        names = [f"jobs-{index}" for index in range(3)]
        for index, name in enumerate(names):
            self._stage.serve("1", "a", link=f"node-{index}.sock")
            self._stage.configure(name, model_server=f"node-{index}.sock", concurrency=THREADS)
        rates = []
        for count, jobs in ((1, 600), (3, 1800)):
            self._fill(jobs, WAIT_SECONDS)
            step.say(f"{count} of three workers")
            rates.append(self._drain([self._worker(name) for name in names[:count]], jobs))
        for index in range(3):
            self._stage.stop_server("a", f"node-{index}.sock")
        return [
            Figure("completed, jobs that wait 20 ms, 1 worker", rates[0], "jobs/s"),
            Figure("completed, jobs that wait 20 ms, 3 workers", rates[1], "jobs/s"),
            Figure("3 workers to 1", rates[1] / rates[0], "times", at_least=2.5),
        ]

    def synchronous(self, step: Step) -> list[Figure]:
        """The same requests with nothing to do, and while a worker works on a queue that does not end."""
        step.say("an empty queue")
        empty, _ = self._beside_a_worker()
        step.say("filling the queue")
        self._fill(max(self._jobs, round(AT_MOST_PER_SECOND * self._seconds * (SYNCHRONOUS_TIMES + 1))))
        step.say("a full queue")
        full, left = self._beside_a_worker()
        if not left:
            raise UserError("the queue was empty before the measurement ended", "queue more with --jobs")
        return [
            Figure("synchronous p99, queue empty", empty, "ms"),
            Figure("synchronous p99, queue full", full, "ms"),
            Figure("full to empty", full / empty, "times", at_most=1.5),
        ]

    def _beside_a_worker(self) -> tuple[float, int]:
        """The p99 in milliseconds, and how many jobs are queued after it."""
        services = Cgroup(self._stage.lab.network.netns)  # PostgreSQL's and RabbitMQ's are below it
        worker = self._worker("jobs")
        known = processes()
        ahead = {pid for server in self._stage.servers.values() for pid in tree(server.pid, known)}
        behind = tree(os.getpid(), known) - ahead - {os.getpid()}
        set_idle_class(behind)
        move(behind - services.pids(), self._idle)
        set_idle(services, True)
        try:
            p99 = statistics.median(self._ask() for _ in range(SYNCHRONOUS_TIMES))
            [(left,)] = self._stage.sql("SELECT count(*) FROM jobs WHERE state = 'queued'")
        finally:
            set_idle(services, False)
        worker.terminate(30)
        return p99, int(left)

    def _ask(self) -> float:
        """Over connections that are kept, as Nginx does on a node."""
        found = load.paced(
            self._request(SMALL),
            Address(socket=self._stage.folder / "current.sock"),
            self._folder,
            connections=SYNCHRONOUS_CONNECTIONS,
            per_second=SYNCHRONOUS_PER_SECOND,
            seconds=self._seconds,
        )
        if found.errors or found.refused:
            raise UserError(f"{found.errors + found.refused} predictions failed", "see the log of the model server")
        return found.p99_ms

    def _request(self, path: str) -> Request:
        body = self._folder / "body.json"
        body.write_bytes(jobs_models.rows([1.5]))
        return Request(path=path, body=body, headers=JSON)

    def _fill(self, jobs: int, seconds: float = 0.0) -> None:
        """Through the front door, as any client would; rows alone would have no messages."""
        body = self._folder / "fill.json"
        body.write_bytes(jobs_models.rows([1.5], seconds))
        address = Address(socket=self._stage.folder / "accept.sock")
        request = Request(path=f"{WAITING if seconds else SMALL}?async=true", body=body, headers=JSON)
        found = load.counted(request, address, self._folder, connections=CONNECTIONS, total=jobs, seconds=300)
        if found.answers != jobs:
            raise UserError(f"{found.answers} of {jobs} jobs were accepted", "see the log of the accepting application")

    def _worker(self, config: str) -> Process:
        worker = self._stage.work(config)
        set_idle_class([worker.pid])
        move([worker.pid], self._idle)
        return worker

    def _drain(self, workers: Sequence[Process], jobs: int) -> float:
        """Jobs per second from the first end to the last, in the steady middle."""

        def done() -> bool:
            [(count,)] = self._stage.sql("SELECT count(*) FROM jobs WHERE state NOT IN ('queued', 'running')")
            return bool(count >= jobs)

        until(done, "all have ended", 300)
        for worker in workers:
            worker.terminate(30)
        [(first, last, count)] = self._stage.sql(_SPAN)
        self._stage.sql("TRUNCATE jobs")
        return float(count) / float(last - first)


# The first and the last tenth are left out: workers begin one after another, and end so.
_SPAN = """SELECT extract(epoch FROM min(ended)), extract(epoch FROM max(ended)), count(*) FROM (
 SELECT ended, percent_rank() OVER (ORDER BY ended) AS rank FROM jobs WHERE state = 'succeeded') AS ranked
 WHERE rank BETWEEN 0.1 AND 0.9"""

if __name__ == "__main__":
    main()

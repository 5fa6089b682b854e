"""All of asynchronous predictions for a test, each part for real: PostgreSQL, RabbitMQ, S3 (moto), the model server,
the accepting application, and as many workers as it wants. Parts are killed, stopped and started again by the test.
"""

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field, replace
from ipaddress import IPv4Address
from pathlib import Path
from typing import Any

import psycopg

from localcloud.database.ca import ca_path
from localcloud.database.postgres import Postgres
from localcloud.image import Image
from localcloud.process import Process, spawn
from tests.machines import jobs_models
from tests.machines.jobs_broker import Broker
from tests.machines.services import Lab, lab
from tests.unix import UnixConnection
from tests.waiting import until
from tests.worlds import DATABASE

CHECKOUT = Path(__file__).resolve().parents[2]
NODE = "10.0.3.10/24"
S3_PORT = 5555
BUCKET = "jobs-of-tests"
PASSWORD = "a password: with\\odd things"
RECORD = replace(DATABASE, id="jobs", address=IPv4Address("10.0.3.4"), database="jobs", master_user="slipway_jobs")

START_SECONDS = 240  # of anything: the machine may have much to do

Reply = tuple[int, Any, Mapping[str, str]]


@dataclass
class Stage:
    lab: Lab
    folder: Path
    postgres: Postgres
    broker: Broker
    limits: dict[str, int]
    node: str = ""
    workers: list[Process] = field(default_factory=list)
    started: list[Process] = field(default_factory=list)
    servers: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)
    acceptor: Process | None = None

    def configure(self, name: str = "jobs", model_server: str = "current.sock", **limits: int) -> Path:
        """Writes the file that the processes read, and returns it."""
        passfile = self.folder / "pgpass"
        escaped = PASSWORD.replace("\\", "\\\\").replace(":", "\\:")
        passfile.write_text(f"*:*:*:*:{escaped}\n")
        passfile.chmod(0o600)
        database = {
            "host": RECORD.host,
            "hostaddr": str(RECORD.address),
            "port": RECORD.port,
            "name": "jobs",
            "user": "slipway_jobs",
            "passfile": str(passfile),
            "ca": str(ca_path(self.lab.state)),
        }
        content = {
            "stack": "tests",
            "broker": {"url": self.broker.url, "ca": str(self.broker.ca)},
            "database": database,
            "bucket": BUCKET,
            "prefix": "jobs/",
            "model_server": str(self.folder / model_server),
            "limits": {**self.limits, **limits},
        }
        file = self.folder / f"{name}.json"
        file.write_text(json.dumps(content))
        return file

    def python(self, *words: str, name: str, config: str = "jobs") -> Process:
        """A process of ours on the node."""
        given = {
            "PYTHONPATH": str(CHECKOUT),
            "SLIPWAY_JOBS_CONFIG": str(self.folder / f"{config}.json"),
            "SLIPWAY_JOBS_SOCKET": str(self.folder / "accept.sock"),
            "AWS_ENDPOINT_URL": f"http://{NODE.partition('/')[0]}:{S3_PORT}",
            "AWS_ACCESS_KEY_ID": "tests",
            "AWS_SECRET_ACCESS_KEY": "tests",
            "AWS_DEFAULT_REGION": "us-east-1",
        }
        process = spawn([sys.executable, *words], log=self.log(name), netns=self.node, env=given, cwd=self.folder)
        self.started.append(process)
        return process

    def log(self, name: str) -> Path:
        return self.lab.state.log(name)

    def said(self, name: str, text: str) -> int:
        """How many lines of a process's log hold the text."""
        file = self.log(name)
        return sum(text in line for line in file.read_text().splitlines()) if file.exists() else 0

    def accept(self) -> None:
        words = ("-m", "gunicorn", "-c", "python:jobs.gunicorn_config", "jobs.wsgi:app")
        self.acceptor = self.python(*words, name="accept")

        def ready() -> bool:
            assert self.acceptor is not None
            assert self.acceptor.alive, self.log("accept").read_text()
            with suppress(OSError):
                return bool(self.ask("GET", "/jobs/health")[0] == 200)
            return False

        until(ready, "jobs are accepted", START_SECONDS)

    def work(self, config: str = "jobs") -> Process:
        """Another worker process; its log is `worker-<number>`."""
        name = f"worker-{len(self.workers)}"
        process = self.python("-m", "jobs.worker", name=name, config=config)
        self.workers.append(process)
        until(lambda: self.said(name, "takes jobs"), lambda: self.log(name).read_text(), START_SECONDS)
        return process

    def serve(self, version: str = "1", name: str = "a", link: str = "current.sock", workers: int | None = 1) -> None:
        """Starts a model server in a slot, and moves the link to it once it is ready."""
        run = self.folder / f"run-{link}-{name}"
        run.mkdir(exist_ok=True)
        environment = {
            **os.environ,
            "PYTHONPATH": str(CHECKOUT),
            "SLIPWAY_RUN": str(run),
            "SLIPWAY_SLOT": name,
            "SLIPWAY_DEPLOYMENT": str(jobs_models.manifest(self.folder, version)),
            "SLIPWAY_MODELS": str(self.folder / "models"),
            "SLIPWAY_WORKERS": str(workers or ""),
        }
        command = [sys.executable, "-m", "gunicorn", "-c", "python:app.gunicorn_config"]
        with self.log(f"server-{name}").open("ab") as stream:
            process = subprocess.Popen(command, env=environment, cwd="/", stdout=stream, stderr=stream)
        self.servers[f"{link}/{name}"] = process
        path = run / f"{name}.sock"

        def ready() -> bool:
            assert process.poll() is None, self.log(f"server-{name}").read_text()
            with suppress(OSError):
                return ask(path, "GET", "/readyz")[0] == 200
            return False

        until(ready, "the model server is ready", START_SECONDS)
        moved = self.folder / f".{link}"
        moved.unlink(missing_ok=True)
        moved.symlink_to(path)
        moved.rename(self.folder / link)

    def stop_server(self, name: str = "a", link: str = "current.sock") -> None:
        process = self.servers.pop(f"{link}/{name}")
        process.send_signal(signal.SIGTERM)
        process.wait(60)

    def ask(self, method: str, path: str, body: bytes | None = None, headers: Mapping[str, str] | None = None) -> Reply:
        return ask(self.folder / "accept.sock", method, path, body, headers)

    def submit(self, *values: float, seconds: float = 0.0, headers: Mapping[str, str] | None = None) -> str:
        """The id of an accepted job."""
        status, answer, _ = self.ask("POST", "/predict?async=true", jobs_models.rows(values, seconds), headers)
        assert status == 202, answer
        return str(answer["id"])

    def job(self, job: str) -> dict[str, Any]:
        status, answer, _ = self.ask("GET", f"/jobs/{job}")
        assert status == 200, answer
        return dict(answer)

    def until_state(self, job: str, *states: str, seconds: float = 120) -> dict[str, Any]:
        return until(
            lambda: found if (found := self.job(job))["state"] in states else None,
            lambda: f"{states}: {self.job(job)}",
            seconds,
        )

    def sql(self, statement: str, *given: Any) -> list[tuple[Any, ...]]:
        def run() -> list[tuple[Any, ...]]:
            from jobs import config

            found = config.read(self.folder / "jobs.json")
            with psycopg.connect(found.conninfo, autocommit=True) as connection:
                cursor = connection.execute(statement.encode(), given)
                return cursor.fetchall() if cursor.description else []

        return self.lab.network.inside(run, self.node)

    def inside(self, act: Callable[[], Any]) -> Any:
        """`act` in a thread on the node's network, with the node's configuration."""
        before = os.environ.get("SLIPWAY_JOBS_CONFIG")
        os.environ["SLIPWAY_JOBS_CONFIG"] = str(self.folder / "jobs.json")
        try:
            return self.lab.network.inside(act, self.node)
        finally:
            if before is None:
                del os.environ["SLIPWAY_JOBS_CONFIG"]
            else:
                os.environ["SLIPWAY_JOBS_CONFIG"] = before


def ask(
    path: Path, method: str, target: str, body: bytes | None = None, headers: Mapping[str, str] | None = None
) -> Reply:
    """Status, decoded body and headers."""
    connection = UnixConnection(path)
    try:
        given = {"Content-Type": "application/json", **(headers or {})} if body is not None else dict(headers or {})
        connection.request(method, target, body, given)
        answer = connection.getresponse()
        content = answer.read()
        kind = answer.headers.get("Content-Type", "")
        return answer.status, json.loads(content) if "json" in kind else content, dict(answer.headers)
    finally:
        connection.close()


@contextmanager
def stage(model_workers: int | None = 1, **limits: int) -> Iterator[Stage]:
    """PostgreSQL, RabbitMQ and S3 run, the table is there, and one model server of so many processes (None: as
    many as a node has); accepting and working are begun by the test."""
    with lab() as found, ExitStack() as ends:
        made = _made(found, ends, limits)
        ends.callback(_end, made)
        made.configure()
        made.serve(workers=model_workers)
        yield made


def _made(found: Lab, ends: ExitStack, limits: dict[str, int]) -> Stage:
    postgres = Postgres(RECORD, found.network, Image(), found.state)
    ends.callback(postgres.remove)
    postgres.create("slipway_jobs", PASSWORD)
    broker = Broker(found)
    ends.callback(broker.remove)
    broker.start()
    node = found.attach("node", NODE)
    folder = found.state.folder / "node"
    folder.mkdir()
    made = Stage(found, folder, postgres, broker, limits, node)
    jobs_models.save(folder / "models")
    made.configure()
    words = ("-m", "moto.server", "-H", "0.0.0.0", "-p", str(S3_PORT))
    made.python(*words, name="s3")
    made.python("-c", _BUCKET, name="bucket").wait(START_SECONDS)
    schema = made.python("-m", "jobs.schema", name="schema")
    assert schema.wait(START_SECONDS) == 0, made.log("schema").read_text()
    return made


_BUCKET = f"""
import time, boto3, botocore.exceptions
for _ in range(100):
    try:
        boto3.client("s3").create_bucket(Bucket="{BUCKET}")
        break
    except botocore.exceptions.BotoCoreError:
        time.sleep(0.2)
"""


def _end(made: Stage) -> None:
    for process in reversed(made.started):
        process.terminate(3)
    for server in made.servers.values():
        server.kill()
        server.wait()
    shutil.rmtree(made.folder, ignore_errors=True)

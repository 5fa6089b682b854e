"""The Compose stack for a test: built and run by an engine of its own, asked as a user asks it."""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from compose import prepare
from localcloud.image import Image
from ops.run import Result
from tests.machines import models
from tests.machines.compose_client import MLFLOW, SECONDS, URL, balanced_over, serving, until_mlflow_answers
from tests.machines.engine import Engine, engine
from tests.machines.load import Load
from tests.waiting import until

if TYPE_CHECKING:
    from ops.example import Trained

CHECKOUT = Path(__file__).resolve().parents[2]
BASE = f"slipway-test-base:{Image().digest}"
SETTINGS = {"SLIPWAY_WORKERS": "1", "COMPOSE_PROJECT_NAME": "slipway", "SLIPWAY_BASE_IMAGE": BASE}
JOBS = {"COMPOSE_PROFILES": "jobs"}


@dataclass
class Stack:
    engine: Engine
    settings: dict[str, str] = field(default_factory=lambda: dict(SETTINGS))

    def compose(self, *words: str, check: bool = True, env: Mapping[str, str] | None = None) -> Result:
        found = {**self.settings, **(env or {})}
        return self.engine.run("docker-compose", *words, cwd=CHECKOUT, env=found, check=check, seconds=SECONDS)

    def up(self, servers: int, workers: int = 0) -> None:
        """`workers`: with asynchronous predictions, from now on."""
        if workers:
            self.settings |= JOBS
        scale = ["--scale", f"server={servers}", *(["--scale", f"worker={workers}"] if workers else [])]
        self.compose("up", "--detach", "--no-build", *scale)

    def deliver(self, *words: str, check: bool = True) -> Result:
        return self.compose("run", "--rm", "-T", "deliver", *words, check=check)

    def containers(self, service: str) -> list[dict[str, Any]]:
        names = self.compose("ps", "--quiet", service).stdout.split()
        found: list[dict[str, Any]] = json.loads(self.engine.run("docker", "inspect", *names).stdout)
        return found

    def kill(self, container: dict[str, Any]) -> None:
        """Its process 1, and so all of it; the engine starts it again."""
        self.engine.run("kill", "-KILL", str(container["State"]["Pid"]))

    def restarts(self, container: dict[str, Any]) -> int:
        found = json.loads(self.engine.run("docker", "inspect", container["Id"]).stdout)
        return int(found[0]["RestartCount"])

    def reads(self, service: str, command: str) -> Result:
        """What a shell in a container says."""
        return self.compose("exec", "-T", service, "/bin/sh", "-c", command, check=False)

    def reaches(self, service: str, address: str) -> bool:
        connect = f"import socket; socket.create_connection(('{address}', 8080), 3)"
        return self.compose("exec", "-T", service, "python3", "-c", connect, check=False).ok

    def health(self, service: str) -> str:
        return str(self.containers(service)[0]["State"]["Health"]["Status"])

    def said(self, container: dict[str, Any], text: str) -> int:
        """How many lines of a container's log hold the text."""
        done = self.engine.run("docker", "logs", container["Id"])
        return sum(text in line for line in (done.stdout + done.stderr).splitlines())


@contextmanager
def running(log: Path) -> Iterator[Stack]:
    """The engine, with the images built and nothing up. This thread has the engine's network meanwhile."""
    prepare.prepare(progress=print)
    with engine(log, [CHECKOUT]) as found:
        found.base(Image().root, BASE)
        stack = Stack(found)
        stack.compose("build", env=JOBS)
        with found.entered(), pytest.MonkeyPatch.context() as patch:
            password = (prepare.FOLDER / "secrets" / "mlflow_admin_password").read_text()
            patch.setenv("MLFLOW_TRACKING_URI", MLFLOW)
            patch.setenv("MLFLOW_TRACKING_USERNAME", "admin")
            patch.setenv("MLFLOW_TRACKING_PASSWORD", password)
            try:
                yield stack
            finally:
                print(stack.compose("logs", "--tail", "40", check=False).stdout)


class Right(dict[str, float]):
    """What known deployments must answer, and what one that is yet to be made must."""

    def __init__(self, known: models.Deployed, coming: float) -> None:
        super().__init__({known.id: known.value})
        self.coming = coming

    def __contains__(self, deployment: object) -> bool:
        return bool(deployment)

    def __missing__(self, _: str) -> float:
        return self.coming


def deliver_first(stack: Stack, example: "Trained") -> models.Deployed:
    """Up, with the example registered and delivered."""
    from ops import example as examples

    stack.up(1)
    until_mlflow_answers()
    registered = examples.register(example)
    made = stack.deliver(f"{registered.model}/{registered.version}")
    return models.Deployed(models.identity(made.stdout), models.predict(example.forest, example.rows))


def deliver_second(stack: Stack, served: models.Deployed, example: "Trained") -> models.Deployed:
    """Another version, delivered to two servers under load."""
    stack.up(2)
    balanced_over(2)
    forest = models.train_another(example)
    version, value = models.register(forest, example), models.predict(forest, example.rows)
    with Load(URL, models.body(example.rows), Right(served, value)) as load:
        until(lambda: load.deployments, "the first answer under load")
        made = models.identity(stack.deliver(f"diabetes/{version}").stdout)
        assert serving() == {made}
        until(lambda: made in load.deployments, "an answer of the new deployment under load")
    print(load)
    assert load.failures == []
    assert load.deployments == {served.id, made}
    return models.Deployed(made, value)


NEVER_THE_SAME = """
import mlflow
import numpy


class NeverTheSame(mlflow.pyfunc.PythonModel):
    def predict(self, context, model_input, params=None):
        return numpy.random.default_rng().random(len(model_input))


mlflow.models.set_model(NeverTheSame())
"""


def register_one_that_answers_otherwise(example: "Trained", folder: Path) -> str:
    import mlflow
    import numpy
    from mlflow.models import infer_signature

    script = folder / "never_the_same.py"
    script.write_text(NEVER_THE_SAME)
    with mlflow.start_run():
        info = mlflow.pyfunc.log_model(
            name="diabetes",
            python_model=str(script),
            signature=infer_signature(example.rows, numpy.array([100.0])),
            input_example=example.rows.head(2),
            registered_model_name="diabetes",
            pip_requirements=["pandas"],
        )
    return str(info.registered_model_version)

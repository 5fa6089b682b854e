"""The Compose stack on a real engine, as a user brings it up: built, served, scaled, killed, up again with all it had.

One stack for all of it, in the order of the file. The load runs where the balancer's port is published, and forgives
nothing: a connection that is reset is a failed request.
"""

import json
import os
import re
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from compose import prepare
from localcloud.image import Image
from ops.run import Result
from tests.machines import models
from tests.machines.engine import Engine, engine
from tests.machines.load import Load
from tests.waiting import until

if TYPE_CHECKING:
    from ops.example import Trained

CHECKOUT = Path(__file__).resolve().parents[2]
BASE = f"slipway-test-base:{Image().digest}"
URL = "http://127.0.0.1:8080"
MLFLOW = "http://127.0.0.1:5000"
SECONDS = 240
LOOKS = 24
SETTINGS = {"SLIPWAY_WORKERS": "1", "COMPOSE_PROJECT_NAME": "slipway", "SLIPWAY_BASE_IMAGE": BASE}

pytestmark = [pytest.mark.timeout(900), pytest.mark.skipif(os.geteuid() != 0, reason="an engine needs root")]


@dataclass
class Stack:
    engine: Engine

    def compose(self, *words: str, check: bool = True, env: Mapping[str, str] | None = None) -> Result:
        found = {**SETTINGS, **(env or {})}
        return self.engine.run("docker-compose", *words, cwd=CHECKOUT, env=found, check=check, seconds=SECONDS)

    def up(self, servers: int) -> None:
        self.compose("up", "--detach", "--no-build", "--scale", f"server={servers}")

    def deliver(self, *words: str, check: bool = True) -> Result:
        return self.compose("run", "--rm", "-T", "deliver", *words, check=check)

    def containers(self, service: str) -> list[dict[str, Any]]:
        names = self.compose("ps", "--quiet", service).stdout.split()
        found: list[dict[str, Any]] = json.loads(self.engine.run("docker", "inspect", *names).stdout)
        return found

    def reads(self, service: str, command: str) -> Result:
        """What a shell in a container says."""
        return self.compose("exec", "-T", service, "/bin/sh", "-c", command, check=False)


def ask(path: str, body: bytes | None = None) -> tuple[int, Any]:
    """Status and JSON; status 0 when nobody answers."""
    request = urllib.request.Request(f"{URL}{path}", body, {"Content-Type": "application/json"})
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:
            return answer.status, json.loads(answer.read() or "null")
    except urllib.error.HTTPError as error:
        return error.code, None
    except OSError:
        return 0, None


def balanced() -> set[str]:
    """The servers that the balancer asks in turn, each known by when its workers started."""
    answers = (ask("/version") for _ in range(LOOKS))
    return {json.dumps([worker["since"] for worker in found["workers"]]) for status, found in answers if status == 200}


def balanced_over(count: int) -> set[str]:
    return until(
        lambda: found if len(found := balanced()) == count else None, f"{count} servers in the balancer", SECONDS
    )


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """The engine, with the images built and nothing up. This thread has the engine's network meanwhile."""
    prepare.prepare(progress=print)
    log = tmp_path_factory.mktemp("engine") / "engine.log"
    with engine(log, [CHECKOUT]) as running:
        running.base(Image().root, BASE)
        found = Stack(running)
        found.compose("build")
        with running.entered(), pytest.MonkeyPatch.context() as patch:
            password = (prepare.FOLDER / "secrets" / "mlflow_admin_password").read_text()
            patch.setenv("MLFLOW_TRACKING_URI", MLFLOW)
            patch.setenv("MLFLOW_TRACKING_USERNAME", "admin")
            patch.setenv("MLFLOW_TRACKING_PASSWORD", password)
            try:
                yield found
            finally:
                print(found.compose("logs", "--tail", "40", check=False).stdout)


@pytest.fixture(scope="module")
def served(stack: Stack, example: "Trained") -> models.Deployed:
    """Up, with the example registered and delivered."""
    from ops import example as examples

    stack.up(1)
    until(lambda: answers_at(5000) or None, "MLflow behind the balancer", SECONDS)
    registered = examples.register(example)
    made = stack.deliver(f"{registered.model}/{registered.version}")
    return models.Deployed(models.identity(made.stdout), models.predict(example.forest, example.rows))


def answers_at(port: int) -> bool:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=10) as answer:
            return bool(answer.status == 200)
    except OSError:
        return False


def predicted(example: "Trained") -> float:
    status, answer = ask("/invocations", models.body(example.rows))
    assert status == 200
    return float(answer["predictions"][0])


def test_what_is_delivered_answers_through_the_balancer_as_the_offline_model_does(
    served: models.Deployed, example: "Trained"
) -> None:
    rows = example.rows.head(50)
    status, answer = ask("/invocations", models.body(rows, len(rows)))
    assert status == 200
    assert answer["predictions"] == pytest.approx(example.forest.predict(rows).tolist(), rel=1e-5)
    assert ask("/version")[1]["deployment"] == served.id


def test_only_what_a_stacks_balancer_forwards_is_reached(served: models.Deployed) -> None:
    assert ask("/readyz")[0] == ask("/metrics")[0] == 404
    assert ask("/v2/models/diabetes")[0] == 200


def test_a_server_has_no_way_out_no_rights_and_nothing_to_write_but_memory(
    stack: Stack, served: models.Deployed
) -> None:
    assert stack.reads("server", "id -u").stdout.strip() == "10001"
    assert "Read-only file system" in stack.reads("server", "touch /opt/slipway/x").stderr
    assert "Read-only file system" in stack.reads("server", "touch /srv/slipway/models/x").stderr
    assert stack.reads("server", "grep CapEff /proc/1/status").stdout.split() == ["CapEff:", "0" * 16]
    networks = stack.containers("balancer")[0]["NetworkSettings"]["Networks"]
    assert reaches(stack, "server", networks["slipway_inside"]["IPAddress"]), "the probe itself works"
    assert not reaches(stack, "server", networks["slipway_outside"]["IPAddress"])
    assert stack.reads("server", "ls /run/secrets").stdout == ""
    assert stack.reads("sandbox", "tail -n +3 /proc/net/dev | cut -d: -f1").stdout.split() == ["lo"]


def reaches(stack: Stack, service: str, address: str) -> bool:
    connect = f"import socket; socket.create_connection(('{address}', 8080), 3)"
    return stack.compose("exec", "-T", service, "python3", "-c", connect, check=False).ok


def test_servers_come_and_go_under_load_without_a_failed_request(
    stack: Stack, served: models.Deployed, example: "Trained"
) -> None:
    with Load(URL, models.body(example.rows), {served.id: served.value}) as load:
        until(lambda: load.deployments, "the first answer under load")
        stack.up(3)
        assert len(balanced_over(3)) == 3
        stack.up(1)
        assert len(balanced_over(1)) == 1
    print(load)
    assert load.failures == []
    assert len(load.samples) > 100


class Right(dict[str, float]):
    """What known deployments must answer, and what one that is yet to be made must."""

    def __init__(self, known: models.Deployed, coming: float) -> None:
        super().__init__({known.id: known.value})
        self.coming = coming

    def __contains__(self, deployment: object) -> bool:
        return bool(deployment)

    def __missing__(self, _: str) -> float:
        return self.coming


@pytest.fixture(scope="module")
def second(stack: Stack, served: models.Deployed, example: "Trained") -> models.Deployed:
    """Another version, delivered to two servers under load."""
    stack.up(2)
    balanced_over(2)
    forest = models.train_another(example)
    version, value = models.register(forest, example), models.predict(forest, example.rows)
    with Load(URL, models.body(example.rows), Right(served, value)) as load:
        until(lambda: load.deployments, "the first answer under load")
        made = models.identity(stack.deliver(f"diabetes/{version}").stdout)
        assert {ask("/version")[1]["deployment"] for _ in range(LOOKS)} == {made}
        until(lambda: made in load.deployments, "an answer of the new deployment under load")
    print(load)
    assert load.failures == []
    assert load.deployments == {served.id, made}
    return models.Deployed(made, value)


def test_a_delivery_switches_servers_under_load_without_a_failed_request(second: models.Deployed) -> None:
    assert ask("/version")[1]["models"][0]["version"] == "2"


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


def test_a_model_that_fails_the_gate_replaces_nothing(
    stack: Stack, second: models.Deployed, example: "Trained", tmp_path: Path
) -> None:
    version = register_one_that_answers_otherwise(example, tmp_path)
    refused = stack.deliver(f"diabetes/{version}", check=False)
    assert refused.returncode == 1
    assert re.search(r"predictions\[0\] is 0\.\d+, expected 0\.\d+ within 1e-05", refused.stderr), refused.stderr
    assert {ask("/version")[1]["deployment"] for _ in range(LOOKS)} == {second.id}
    assert predicted(example) == pytest.approx(second.value)


def test_a_killed_server_is_replaced_while_the_others_answer(
    stack: Stack, second: models.Deployed, example: "Trained"
) -> None:
    before = balanced_over(2)
    victim = stack.containers("server")[0]
    with Load(URL, models.body(example.rows), {second.id: second.value}) as load:
        until(lambda: load.deployments, "the first answer under load")
        stack.engine.run("kill", "-KILL", str(victim["State"]["Pid"]))
        until(lambda: len(balanced() - before) == 1, "the killed server's successor", SECONDS)
    print(load)
    assert len(load.failures) <= load.clients, "only what it had in hand is lost"
    again = {each["Id"]: each["RestartCount"] for each in stack.containers("server")}
    assert again[victim["Id"]] == 1


def test_down_and_up_loses_nothing(stack: Stack, second: models.Deployed, example: "Trained") -> None:
    from mlflow import MlflowClient

    versions = {each.version for each in MlflowClient().search_model_versions("name='diabetes'")}
    stack.compose("down")
    assert ask("/version")[0] == 0
    stack.up(1)
    balanced_over(1)
    assert ask("/version")[1]["deployment"] == second.id
    assert predicted(example) == pytest.approx(second.value)
    until(lambda: answers_at(5000) or None, "MLflow behind the balancer", SECONDS)
    assert {each.version for each in MlflowClient().search_model_versions("name='diabetes'")} == versions
    assert stack.deliver("diabetes/1").returncode == 0, "the artifacts are there too"


def health(stack: Stack, service: str) -> str:
    return str(stack.containers(service)[0]["State"]["Health"]["Status"])


def test_every_container_is_healthy_and_none_shows_a_secret_to_who_may_look_at_it(stack: Stack) -> None:
    secrets = [path.read_text() for path in (prepare.FOLDER / "secrets").iterdir()]
    for service in ("balancer", "server", "mlflow", "database"):
        until(lambda name=service: health(stack, name) == "healthy", service)  # type: ignore[misc]
        told = json.dumps(stack.containers(service))
        assert not [value for value in secrets if value in told], "neither environment nor command line has one"

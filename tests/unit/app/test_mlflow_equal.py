"""Side by side with MLflow's own scoring server, on models of several flavours: the same answers, the same statuses.

Both run as real servers. Where Slipway refuses or fails on purpose what MLflow lets pass, the test at the end says so.
"""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from .conftest import CHECKOUT, ZOO, digest, example, launch, write_manifest
from .mlflow_cases import CASES, JSON, REFUSED
from .process import Server


@dataclass
class Pair:
    ours: Server
    theirs: Server

    def ask(self, model: str, body: bytes, content_type: str) -> tuple[tuple[int, Any], tuple[int, Any]]:
        """Status and answer of each; the answer of an error is None, since each has its own words."""
        return (
            _post(self.ours, f"/models/{model}/invocations", body, content_type),
            _post(self.theirs, f"/{model}/invocations", body, content_type),
        )


def _post(server: Server, path: str, body: bytes, content_type: str) -> tuple[int, Any]:
    connection = server.connect()
    connection.request("POST", path, body, {"Content-Type": content_type})
    answer = connection.getresponse()
    content = answer.read()
    connection.close()
    # json.dumps makes NaN equal to itself
    return answer.status, json.dumps(json.loads(content), sort_keys=True) if answer.status == 200 else None


@pytest.fixture(scope="module")
def pair(models: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pair]:
    folder = tmp_path_factory.mktemp("pair")
    found = Pair(
        launch(folder, models, write_manifest(models, folder, *ZOO, default="iris"), SLIPWAY_WORKERS="1"),
        scoring_server(folder, models),
    )
    try:
        found.ours.wait_ready(120)
        found.theirs.wait_ready(120, "/iris/ping")
        yield found
    finally:
        found.ours.end()
        found.theirs.end()


def scoring_server(folder: Path, models: Path) -> Server:
    """MLflow's. `-P`, or the modules beside the script would stand in for the standard library's."""
    script, socket, log = Path(__file__).with_name("mlflow_server.py"), folder / "mlflow.sock", folder / "mlflow.log"
    named = [f"{name}={digest(name)}" for name in ZOO]
    command = [sys.executable, "-P", str(script), str(socket), str(models), *named]
    environment = {"PATH": os.environ["PATH"], "PYTHONPATH": str(CHECKOUT), "OMP_NUM_THREADS": "1"}
    with log.open("w") as stream:
        process = subprocess.Popen(command, env=environment, stdout=stream, stderr=stream, text=True)
    return Server(process, socket, log)


@pytest.mark.parametrize(("model", "content", "content_type"), CASES.values(), ids=CASES)
def test_the_answer_is_mlflows(pair: Pair, model: str, content: bytes, content_type: str) -> None:
    ours, theirs = pair.ask(model, content, content_type)
    assert ours == theirs


@pytest.mark.parametrize("model", ZOO)
def test_every_models_own_example_has_mlflows_answer(pair: Pair, models: Path, model: str) -> None:
    ours, theirs = pair.ask(model, json.dumps(example(models, model)[0]).encode(), JSON)
    assert ours == theirs
    assert ours[0] == 200


def test_ping_and_health_are_mlflows(pair: Pair) -> None:
    for path in ("/ping", "/health"):
        ours, theirs = pair.ours.ask("GET", path), pair.theirs.ask("GET", f"/iris{path}")
        assert ours[:2] == theirs[:2]
        assert ours[2]["Content-Type"] == theirs[2]["Content-Type"]


@pytest.mark.parametrize(("model", "content", "status"), REFUSED.values(), ids=REFUSED)
def test_where_we_differ_on_purpose(pair: Pair, model: str, content: bytes, status: int) -> None:
    """MLflow takes what is no JSON or has two readings, and calls a model's failure the client's fault."""
    ours, theirs = pair.ask(model, content, JSON)
    assert ours[0] == status
    assert theirs[0] in (200, 400)
    assert ours != theirs

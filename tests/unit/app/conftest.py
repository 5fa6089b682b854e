"""Real models, trained and saved by MLflow, in real deployments: what the tests of the server serve."""

import io
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import mlflow.pyfunc
import pytest
from flask.testing import FlaskClient
from mlflow.pyfunc import scoring_server

from app.core import deployment
from app.core.serving import Serving
from app.http.factory import create_app

from . import trained, zoo
from .loop_server import LoopServer
from .process import Server
from .trained import TEXTS, digest

__all__ = ["TEXTS", "digest"]

CHECKOUT = Path(__file__).parents[3]
RELEASE = "f" * 64

Deploy = Callable[..., Path]
Serve = Callable[..., FlaskClient]
Start = Callable[..., Server]


@pytest.fixture(scope="session")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """`<digest>/` folders, one per kind of model."""
    folder = tmp_path_factory.mktemp("models")
    trained.save(folder)
    return folder


ZOO = ("iris", "diabetes", "text", "unsigned", "scaled", *zoo.EXAMPLES, "boosted")

EXAMPLES: dict[str, Any] = {
    **zoo.EXAMPLES,
    "text": {"dataframe_records": [{"text": "good film"}, {"text": "bad film"}]},
    "unsigned": {"inputs": ["good film", "bad bore"]},
    "slow": {"dataframe_records": [{"seconds": 0.0}]},
    "scaled": {"dataframe_records": [{"x": 1.5}, {"x": 4.0}]},
}


@pytest.fixture
def deploy(models: Path, tmp_path: Path) -> Deploy:
    """Writes the manifest of the named models, each with what the offline model answers to its example."""

    def write(*names: str, default: str | None = None, expected: Any = None) -> Path:
        return write_manifest(models, tmp_path, *names, default=default, expected=expected)

    return write


def write_manifest(models: Path, folder: Path, *names: str, default: str | None = None, expected: Any = None) -> Path:
    items = [_item(models, name, default=name == default, expected=expected) for name in names]
    manifest = {"schema": 1, "release": RELEASE, "models": items}
    path = folder / "deployment.json"
    path.write_text(json.dumps(manifest, sort_keys=True, separators=(",", ":")))
    return path


def _item(models: Path, name: str, *, default: bool, expected: Any) -> dict[str, Any]:
    given, answer = example(models, name)
    return {
        "name": name,
        "version": "3",
        "run_id": f"run-{name}",
        "source": f"models:/{name}/3",
        "digest": digest(name),
        "default": default,
        "expected": {"input": given, "output": answer if expected is None else expected, "tolerance": 1e-6},
    }


def example(models: Path, name: str) -> tuple[Any, Any]:
    """The model's example as a body of /invocations, and the offline model's answer to it."""
    folder = models / digest(name)
    saved = folder / "serving_input_example.json"
    given = json.loads(saved.read_text()) if saved.exists() else EXAMPLES[name]
    offline = mlflow.pyfunc.load_model(str(folder))
    data, params, _ = scoring_server._parse_json_data(
        dict(given), offline.metadata, offline.metadata.get_input_schema()
    )
    text = io.StringIO()
    scoring_server.predictions_to_json(offline.predict(data, params=params), text)
    return given, json.loads(text.getvalue())


@pytest.fixture
def serving(models: Path, tmp_path: Path) -> Callable[[Path], Serving]:
    def make(manifest: Path) -> Serving:
        found = deployment.read(manifest)
        return Serving(deployment=found, models_folder=models, drain_file=tmp_path / "draining")

    return make


@pytest.fixture
def serve(deploy: Deploy, serving: Callable[[Path], Serving]) -> Serve:
    """A started server of the named models, by Flask's test client."""

    def start(*names: str, **options: Any) -> FlaskClient:
        app = create_app(serving(deploy(*names, **options)))
        app.extensions["slipway"].start()
        return app.test_client()

    return start


@pytest.fixture
def loop(deploy: Deploy, serving: Callable[[Path], Serving], tmp_path: Path) -> Iterator[Callable[..., LoopServer]]:
    """A started server of the named models behind the event loop."""
    started: list[LoopServer] = []

    def start(*names: str, **options: Any) -> LoopServer:
        started.append(LoopServer(serving(deploy(*names, **options)), tmp_path / f"{len(started)}.sock"))
        return started[-1]

    yield start
    for server in started:
        server.stop()


@pytest.fixture(scope="session")
def zoo_client(models: Path, tmp_path_factory: pytest.TempPathFactory) -> FlaskClient:
    """One server of many models for tests that only ask; `iris` answers the short paths."""
    folder = tmp_path_factory.mktemp("zoo")
    found = deployment.read(write_manifest(models, folder, *ZOO, default="iris"))
    serving = Serving(deployment=found, models_folder=models, drain_file=folder / "draining")
    app = create_app(serving)
    serving.start()
    for version in found.models:
        assert serving.model(version), version.name
    return app.test_client()


@pytest.fixture
def start(models: Path, deploy: Deploy, tmp_path: Path) -> Iterator[Start]:
    started: list[Server] = []

    def run(
        *names: str, arguments: tuple[str, ...] = (), environ: dict[str, str] | None = None, **options: Any
    ) -> Server:
        started.append(launch(tmp_path, models, deploy(*names, **options), *arguments, **(environ or {})))
        return started[-1]

    yield run
    for server in started:
        server.end()


def launch(folder: Path, models: Path, manifest: Path, *arguments: str, **environ: str) -> Server:
    """gunicorn with the release's own configuration, as the node's unit starts it."""
    environment = {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": str(CHECKOUT),
        "SLIPWAY_SLOT": "a",
        "SLIPWAY_RUN": str(folder),
        "SLIPWAY_DEPLOYMENT": str(manifest),
        "SLIPWAY_MODELS": str(models),
        "SLIPWAY_WORKERS": "2",
        **environ,
    }
    command = [sys.executable, "-m", "gunicorn", "-c", "python:app.gunicorn_config", *arguments]
    log = folder / "log"
    with log.open("w") as stream:
        process = subprocess.Popen(command, env=environment, cwd="/", stdout=stream, stderr=stream, text=True)
    return Server(process, folder / "a.sock", log)

"""A real MLflow on SQLite, a folder of pipelines, and a stack of which only the settings are there.

One store for the whole session, for MLflow takes seconds to make one and most of a second to open it: each test has a
pipeline, and so an experiment and a model, of a name of its own.
"""

import itertools
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import mlflow
import numpy
import pandas
import pytest
from mlflow import MlflowClient

from ops import store
from ops.training import follow, outline, runner
from ops.training.order import WORK
from ops.training.steps import Training
from tests.unit.test_rollout_settings import OUTPUT

ALIAS = "champion"
SERVED = {"slipway.status": "deployed", "slipway.deployment": "aaaaaaaaaaaa"}
PIPELINE = """
from sklearn.linear_model import Ridge
from ops.training.table import read

METRIC = "rmse"
COLUMNS = {"x": float, "y": float, "target": float}

def load(data):
    return read(data, "points", COLUMNS)

def train(features, target):
    return Ridge(alpha=ALPHA).fit(features, target)

def evaluate(model, features, target):
    return {"rmse": float(((model.predict(features) - target) ** 2).mean() ** 0.5)}
"""

_numbers = itertools.count(1)


@pytest.fixture(scope="session")
def mlflow_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("mlflow")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)  # where a store is first opened, its artifacts go
        MlflowClient(f"sqlite:///{folder}/store.db").search_experiments()
    return folder


@pytest.fixture
def client(mlflow_folder: Path, monkeypatch: pytest.MonkeyPatch) -> MlflowClient:
    """Artifacts go below the folder at hand, which is the store's. MLflow's own memory of others is put aside."""
    monkeypatch.chdir(mlflow_folder)
    for name in runner.QUIET:
        monkeypatch.setenv(name, "")
        monkeypatch.delenv(name)  # so that what a training sets is forgotten with the test
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{mlflow_folder}/store.db")
    monkeypatch.setattr(mlflow.tracking._tracking_service.utils, "_tracking_uri", None)
    monkeypatch.setattr(mlflow.tracking._model_registry.utils, "_registry_uri", None)
    monkeypatch.setattr(mlflow.tracking.fluent, "_active_experiment_id", None)
    return MlflowClient()


@dataclass
class Shop:
    """Where the trainings of a test happen. `fleet` is what the watcher would make of a version."""

    client: MlflowClient
    name: str
    pipelines: Path
    data: Path
    outputs: dict[str, Any]
    fleet: Mapping[str, str]

    def write(self, alpha: float = 1.0, more: str = "", name: str = "") -> None:
        """The pipeline: the larger alpha is, the worse is its model."""
        text = f"ALPHA = {alpha}\nMODEL = {self.name!r}\n{more}\n{PIPELINE}"
        (self.pipelines / f"{name or self.name}.py").write_text(text)

    def open(self, run: str, name: str = "", say: Callable[[str], None] = lambda _: None) -> Training:
        return runner.opened(name or self.name, run, str(self.data), say)

    def train(self, run: str, until: str = "follow", name: str = "") -> Training:
        """The steps up to this one, each as a process of its own would do it."""
        for step in WORK[: WORK.index(until) + 1]:
            runner.perform(step, self.open(run, name, self.watch if step == "follow" else lambda _: None))
        return self.open(run, name)

    def watch(self, _: str = "") -> None:
        """What the watcher does, as far as a training sees it: it tags the version that carries the alias."""
        version = self.champion()
        assert version
        if "slipway.status" not in self.client.get_model_version(self.name, version).tags:
            for key, value in self.fleet.items():
                self.client.set_model_version_tag(self.name, version, key, value)

    def versions(self) -> list[str]:
        return sorted(str(each.version) for each in self.client.search_model_versions(f"name = '{self.name}'"))

    def champion(self) -> str | None:
        found = self.client.get_registered_model(self.name).aliases.get(ALIAS)
        return None if found is None else str(found)


@pytest.fixture
def shop(client: MlflowClient, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Shop:
    pipelines = tmp_path / "pipelines"
    pipelines.mkdir()
    monkeypatch.setenv(outline.VARIABLE, str(pipelines))
    monkeypatch.setattr(follow, "POLL_SECONDS", 0.0)
    found: dict[str, Any] = {"region": "us-east-1", "bucket": "b", "deployment_parameter": "/p", "delivery": {**OUTPUT}}
    monkeypatch.setattr(store, "outputs", lambda: found)
    data = tmp_path / "points.csv"
    x, y = numpy.random.default_rng(0).normal(size=(2, 200))
    pandas.DataFrame({"x": x, "y": y, "target": 3 * x - y}).to_csv(data, index=False)
    made = Shop(client, f"points_{next(_numbers)}", pipelines, data, found, SERVED)
    made.write()
    return made

"""`ops.golden`: what a run says beside a model's files, from a real tracking store."""

import json
from pathlib import Path

import mlflow
import pytest
from mlflow import MlflowClient

from ops import golden
from ops.errors import UserError


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path}/store.db")
    monkeypatch.setattr(mlflow.tracking._tracking_service.utils, "_tracking_uri", None)
    client = MlflowClient()
    experiment = client.create_experiment("golden", artifact_location=str(tmp_path / "artifacts"))
    return str(client.create_run(experiment).info.run_id)


def test_a_run_without_anything_has_neither(run: str, tmp_path: Path) -> None:
    assert golden.fetch(run, tmp_path) is None
    assert golden.metrics(run) == {}
    assert golden.fetch(None, tmp_path) is None
    assert golden.metrics(None) == {}


def test_a_run_that_is_gone_has_neither(run: str, tmp_path: Path) -> None:
    assert golden.fetch("0" * 32, tmp_path) is None
    assert golden.metrics("0" * 32) == {}


def test_what_was_logged_is_fetched(run: str, tmp_path: Path) -> None:
    known = {"input": {"inputs": [[1.0]]}, "targets": [2.0]}
    client = MlflowClient()
    client.log_dict(run, known, golden.ARTIFACT)
    client.log_metric(run, "r2", 0.5)
    client.log_metric(run, "loss", float("nan"))
    file = golden.fetch(run, tmp_path)
    assert file is not None
    assert json.loads(file.read_text()) == known
    assert golden.metrics(run) == {"r2": 0.5}, "JSON has no NaN"


def test_a_golden_set_that_is_too_large_is_refused(run: str, tmp_path: Path) -> None:
    MlflowClient().log_text(run, " " * (golden.AT_MOST_BYTES + 1), golden.ARTIFACT)
    with pytest.raises(UserError, match=r"slipway/golden\.json of run .* has 262145 bytes"):
        golden.fetch(run, tmp_path)

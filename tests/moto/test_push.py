"""Pushes that run the real `slipway` against MLflow and S3: trainings taken and refused, and the bundle."""

import itertools
import json
import os
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy
import pandas
import pytest
from mlflow import MlflowClient
from mlflow.exceptions import MlflowException

from contract import S3
from ops import canonical, store
from ops.push import init, kept
from ops.push.repository import NOTHING, Repository
from ops.store import Store
from tests.moto.cloud import ENVIRONMENT
from tests.moto.local_api import LocalApi
from tests.moto.test_transfer import PULUMI
from tests.unit.ops.push.conftest import Place, place
from tests.unit.ops.training.conftest import PIPELINE, mlflow_folder
from tests.unit.test_rollout_settings import OUTPUT

__all__ = ["mlflow_folder", "place"]
_numbers = itertools.count(1)


@pytest.fixture
def at(api: LocalApi, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, mlflow_folder: Path) -> Store:
    """A stack with an empty deployment, found by the engine's outputs as every process of a push finds it."""
    bucket = api.name("pushed")
    api.s3.create_bucket(Bucket=bucket)
    made = Store("us-east-1", bucket, f"/{bucket}/deployment")
    for name, value in {
        **ENVIRONMENT,
        "AWS_ENDPOINT_URL": api.endpoint,
        "AWS_DEFAULT_REGION": "us-east-1",
        "SLIPWAY_STACK": "here",
        "SLIPWAY_CACHE": str(tmp_path / "cache"),
        "MLFLOW_TRACKING_URI": f"sqlite:///{mlflow_folder}/store.db",
        "PATH": f"{tmp_path}/tools:{os.environ['PATH']}",
    }.items():
        monkeypatch.setenv(name, value)
    manifest = canonical.json_bytes({"schema": 1, "release": "a" * 64, "models": []})
    served = canonical.sha256(manifest)[:12]
    made.put(f"{S3.deployments}{served}.json", manifest)
    api.client("ssm").put_parameter(Name=made.deployment_parameter, Value=served, Type="String")
    tools = tmp_path / "tools"
    tools.mkdir()
    (tools / "pulumi").write_text(PULUMI.format(python=sys.executable, file=str(tools / "stacks.json")))
    (tools / "pulumi").chmod(0o755)
    outputs(tmp_path, made, follow_alias=True)
    return made


def outputs(tmp_path: Path, at: Store, *, follow_alias: bool) -> None:
    found = {**vars(at), "delivery": {**OUTPUT, "follow_alias": follow_alias}}
    (tmp_path / "tools" / "stacks.json").write_text(json.dumps({"here": found}))


@pytest.fixture
def name() -> str:
    """Of the test's pipeline, and so of its experiment and its model: MLflow's store is the session's."""
    return f"pushed_{next(_numbers)}"


@pytest.fixture
def live(place: Place, at: Store, name: str) -> Place:
    """The repository with the checkout's own program, and a pipeline with rows of its own."""
    init.make(place.bare.folder, "production")
    x, y = numpy.random.default_rng(0).normal(size=(2, 200))
    rows = pandas.DataFrame({"x": x, "y": y, "target": 3 * x - y}).to_csv(index=False)
    train = f'[train]\npipeline = "pipelines/{name}.py"\ndata = "points.csv"\n'
    pipeline = {f"pipelines__{name}_dot_py": f"ALPHA = 1.0\n{PIPELINE}"}
    place.commit(slipway_dot_toml=train, points_dot_csv=rows, **pipeline)
    return place


@contextmanager
def watched(name: str, tags: dict[str, str]) -> Iterator[MlflowClient]:
    """A watcher, as far as a training sees it: it tags whatever version carries the alias."""
    client, over = MlflowClient(os.environ["MLFLOW_TRACKING_URI"]), threading.Event()

    def watch() -> None:
        while not over.wait(0.3):
            try:
                version = client.get_model_version_by_alias(name, "champion")
            except MlflowException:
                continue
            if "slipway.status" not in version.tags:
                for key, value in tags.items():
                    client.set_model_version_tag(name, version.version, key, value)

    thread = threading.Thread(target=watch)
    thread.start()
    try:
        yield client
    finally:
        over.set()
        thread.join()


@pytest.mark.long
def test_a_pushed_pipeline_is_trained_taken_by_the_fleet_and_only_then_on_the_branch(live: Place, name: str) -> None:
    with watched(name, {"slipway.deployment": "aaaaaaaaaaaa", "slipway.status": "deployed"}) as client:
        done = live.push()
    assert done.returncode == 0, done.stderr
    for step in ("validate", "train", "evaluate", "register", "promote", "follow", "notify"):
        assert f"remote: ok   {step}" in done.stderr, done.stderr
    assert "200 rows of" in done.stderr
    assert "deployment aaaaaaaaaaaa serves version 1" in done.stderr
    assert client.get_model_version_by_alias(name, "champion").version == 1
    assert live.bare.tip() == live.git("rev-parse", "HEAD").stdout.strip()


@pytest.mark.long
def test_a_version_that_the_fleet_refuses_refuses_the_push(live: Place, name: str) -> None:
    tags = {"slipway.reason": "it answers wrongly", "slipway.status": "refused"}
    with watched(name, tags):
        done = live.push()
    assert done.returncode == 1
    assert "the fleet did not take version 1 (refused): it answers wrongly; champion is taken from it" in done.stderr
    assert "Traceback" not in done.stderr
    assert live.bare.tip() == NOTHING


@pytest.mark.long
def test_where_a_rollout_by_hand_is_refused_the_alias_is_given_back(
    live: Place, at: Store, tmp_path: Path, name: str
) -> None:
    """No alias is followed, and the release that the model would be checked with is not there."""
    outputs(tmp_path, at, follow_alias=False)
    done = live.push()
    assert done.returncode == 1
    assert "no alias is followed here: rolling it out" in done.stderr
    assert f"releases/{'a' * 64}.tar.zst" in done.stderr
    client = MlflowClient(os.environ["MLFLOW_TRACKING_URI"])
    assert client.get_registered_model(name).aliases == {}
    assert live.bare.tip() == NOTHING


@pytest.mark.long
def test_a_repository_outlives_its_node_in_the_bucket(
    place: Place, at: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store, "current", lambda: at)
    place.bare.git("config", "slipway.kept", "true")
    kept.keep(place.bare)
    assert not at.has(kept.key("production")), "there is nothing to keep yet"
    for number in range(2):
        place.commit(shop_dot_py=f"PRICE = {number}\n")
        assert place.push().returncode == 0
        assert at.has(kept.key("production"))
    fresh: Repository = init.make(tmp_path / "fresh.git", "production", keep=True)
    assert kept.restore(fresh, at)
    assert fresh.tip() == place.bare.tip()
    assert (
        fresh.git("rev-list", "--count", fresh.tip()).stdout
        == place.bare.git("rev-list", "--count", place.bare.tip()).stdout
    )
    assert not kept.restore(fresh, at), "what is there stays"


@pytest.mark.long
def test_a_bucket_that_is_away_does_not_undo_what_is_live(
    place: Place, at: Store, api: LocalApi, tmp_path: Path
) -> None:
    place.bare.git("config", "slipway.kept", "true")
    broken: dict[str, Any] = {"here": {**vars(at), "bucket": "no-such-bucket"}}
    (tmp_path / "tools" / "stacks.json").write_text(json.dumps(broken))
    done = place.push()
    assert done.returncode == 0, done.stderr
    assert "the next push tries again" in done.stderr
    assert place.bare.tip() != NOTHING

"""What the moto tier needs once: the engine, and a cloud per test module."""

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from ops import store
from ops.cache import folder
from ops.store import Store
from tests.moto.cloud import ENVIRONMENT, instant_cloud
from tests.moto.engine import Stack
from tests.moto.local_api import LocalApi, local_api

ENGINE_VERSION = "3.259.0"


@pytest.fixture(scope="session")
def pulumi() -> Path:
    """The engine: on PATH, or where the toolchain puts it."""
    cached = folder("toolchain") / ENGINE_VERSION
    named = os.environ.get("SLIPWAY_TEST_PULUMI")
    places = [Path(named)] if named else [*cached.glob("pulumi"), *cached.glob("*/pulumi")]
    found = shutil.which("pulumi") or next((str(each) for each in places if each.is_file()), None)
    assert found, "no pulumi engine: run `make test`, or put one on PATH"
    return Path(found)


@pytest.fixture(scope="module")
def cloud() -> Iterator[str]:
    with instant_cloud() as endpoint:
        yield endpoint


@pytest.fixture
def stack(pulumi: Path, cloud: str, tmp_path: Path) -> Callable[..., Stack]:
    """Makes a stack that runs on the cloud."""

    def make(program: str, **config: str) -> Stack:
        environment = {**ENVIRONMENT, "AWS_ENDPOINT_URL": cloud}
        made = Stack(tmp_path / "project", pulumi, environment, config=config)
        made.create(program)
        return made

    return make


@pytest.fixture(scope="module")
def api() -> Iterator[LocalApi]:
    """The API in this process, for what has to be set behind its back."""
    with local_api() as running:
        yield running


@pytest.fixture
def at(api: LocalApi, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Store:
    environment = {**ENVIRONMENT, "AWS_ENDPOINT_URL": api.endpoint, "AWS_DEFAULT_REGION": "us-east-1"}
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("SLIPWAY_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("SLIPWAY_STACK", "moto")
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    bucket = api.name("operator")
    api.s3.create_bucket(Bucket=bucket)
    found = Store("us-east-1", bucket, f"/{bucket}/deployment")
    api.client("ssm").put_parameter(Name=found.deployment_parameter, Value="none", Type="String")
    monkeypatch.setattr(store, "current", lambda: found)
    monkeypatch.setattr(store, "outputs", dict)
    return found

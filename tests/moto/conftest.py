"""What the moto tier needs once: the engine, and a cloud per test module."""

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from ops.cache import folder
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

"""Stacks as the checkout has them, with releases that exist only for the test."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.program.engine import KEY, Recording, changed, run, stack_config

SERVER, CONTROL, JOBS, AIRFLOW, TRAINING, DEPLOYMENT = "a" * 64, "b" * 64, "d" * 64, "e" * 64, "f" * 64, "c" * 12
OPTIONAL = {"jobs": JOBS, "airflow": AIRFLOW, "training": TRAINING}


def bootstrap(folder: Path) -> Path:
    """What `make release` leaves, with files that hold nothing."""
    for name in ("server.tar.zst", "control.tar.zst", *(f"{kind}.tar.zst" for kind in OPTIONAL), "deployment.json"):
        (folder / name).write_text(name)
    file = folder / "bootstrap.json"
    file.write_text(
        json.dumps(
            {
                "server": {"digest": SERVER, "file": str(folder / "server.tar.zst")},
                "control": {"digest": CONTROL, "file": str(folder / "control.tar.zst")},
                **{kind: {"digest": own, "file": str(folder / f"{kind}.tar.zst")} for kind, own in OPTIONAL.items()},
                "deployment": {"id": DEPLOYMENT, "file": str(folder / "deployment.json")},
            }
        )
    )
    return file


@pytest.fixture(scope="session")
def releases(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return bootstrap(tmp_path_factory.mktemp("releases"))


@pytest.fixture(scope="session")
def local(releases: Path) -> dict[str, Any]:
    return changed(stack_config("local"), {"releases": str(releases), "operatorPublicKey": KEY})


@pytest.fixture(scope="session")
def prod(releases: Path) -> dict[str, Any]:
    return changed(stack_config("prod"), {"releases": str(releases)})


@pytest.fixture(scope="session")
def dev(releases: Path) -> dict[str, Any]:
    return changed(stack_config("dev"), {"releases": str(releases)})


@pytest.fixture(scope="session")
def local_stack(local: dict[str, Any]) -> Recording:
    return run(local, "local")


@pytest.fixture(scope="session")
def prod_stack(prod: dict[str, Any]) -> Recording:
    return run(prod, "prod")


@pytest.fixture(scope="session")
def dev_stack(dev: dict[str, Any]) -> Recording:
    return run(dev, "dev")


@pytest.fixture(params=["local", "dev", "prod"])
def stack(request: pytest.FixtureRequest) -> Any:
    """Each stack of the checkout in turn."""
    return request.getfixturevalue(f"{request.param}_stack")

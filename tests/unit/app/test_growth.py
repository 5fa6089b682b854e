"""A worker that holds too much memory makes room for another, and no request is lost."""

import signal
from pathlib import Path
from typing import Any

import mlflow
import numpy
import pandas
import pytest

from app.core.growth import Bound, each, resident
from tests.waiting import until

from .conftest import Start, digest
from .test_loop_faults import Load, _workers

MIB = 1 << 20
kept: list[Any] = []


class Leaks(mlflow.pyfunc.PythonModel):  # type: ignore[misc]
    """Keeps a few MiB of each prediction."""

    def predict(self, context: Any, model_input: pandas.DataFrame) -> Any:
        kept.append(numpy.ones(4 * MIB, dtype=numpy.uint8))
        return model_input["x"].tolist()


@pytest.fixture
def leaks(models: Path) -> str:
    signature = mlflow.models.infer_signature(pandas.DataFrame({"x": [1.0]}), [1.0])
    example = pandas.DataFrame({"x": [1.0]})
    place = models / digest("leaks")
    mlflow.pyfunc.save_model(place, python_model=Leaks(), signature=signature, input_example=example)
    return "leaks"


@pytest.mark.long
def test_workers_that_leak_are_replaced_one_after_the_other_and_lose_no_request(start: Start, leaks: str) -> None:
    server = start(leaks, environ={"SLIPWAY_WORKER_MEMORY": "1"})
    server.wait_ready()
    before = _workers(server)
    load = Load(server, {"x": 2.0}, clients=4)
    until(lambda: not _workers(server) & before, "every worker was replaced", seconds=120)
    load.end()
    assert load.lost == []
    assert set(load.statuses) == {200}
    assert any("another takes its place" in line.get("message", "") for line in server.lines())
    server.process.send_signal(signal.SIGTERM)
    assert server.process.wait(60) == 0


def test_a_large_model_is_no_leak() -> None:
    bound = Bound.settled(resident=900 * MIB, each=300 * MIB, number=0, workers=2)
    assert not bound.exceeded(1_799 * MIB)
    assert bound.exceeded(1_801 * MIB)


def test_a_small_model_may_grow_to_its_workers_share() -> None:
    bound = Bound.settled(resident=100 * MIB, each=300 * MIB, number=0, workers=2)
    assert not bound.exceeded(299 * MIB)
    assert bound.exceeded(301 * MIB)


def test_workers_beside_each_other_have_different_bounds() -> None:
    bounds = {Bound.settled(100 * MIB, 300 * MIB, number, 2).limit for number in (5, 6)}
    assert len(bounds) == 2


def test_what_is_resident_is_measured() -> None:
    before = resident()
    held = numpy.ones(64 * MIB, dtype=numpy.uint8)
    assert resident() - before > 50 * MIB, held.size
    assert each(2) > 10 * MIB

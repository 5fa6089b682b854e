"""`/metrics` and `/version`: what any worker says for all, while workers die and come back."""

import contextlib
import os
import signal
import time
from collections.abc import Callable
from functools import partial
from typing import Any, TypeVar

import pytest
from flask.testing import FlaskClient
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics
from prometheus_client.parser import text_string_to_metric_families as parse_text

from tests.waiting import until

from .conftest import RELEASE, Serve, Start
from .process import Server

T = TypeVar("T")

Samples = dict[tuple[str, frozenset[tuple[str, str]]], float]


def samples(text: str) -> Samples:
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in parse_text(text)
        for sample in family.samples
    }


def value(found: Samples, metric: str, **labels: str) -> float:
    """The sum over every series that has these labels."""
    wanted = set(labels.items())
    return sum(number for (name, having), number in found.items() if name == metric and wanted <= having)


def scrape(client: FlaskClient) -> Samples:
    answer = client.get("/metrics")
    assert answer.status_code == 200, answer.text
    assert answer.content_type.startswith("text/plain; version=0.0.4")
    return samples(answer.text)


def test_a_prediction_is_counted_with_its_model_protocol_status_and_times(serve: Serve) -> None:
    client = serve("scaled")
    client.post("/predict", json=[{"x": 1.0}, {"x": 2.0}])
    client.post("/invocations", json={"dataframe_records": [{"x": 1.0}]})
    predicts = scrape(client)
    client.post("/predict", json={"y": 1.0})
    client.post("/predict/nobody", json={"y": 1.0})
    client.post("/predict", json={"x": 666.0})
    found = scrape(client)
    model = {"model": "scaled", "version": "3"}
    assert value(found, "slipway_requests_total", **model, protocol="predict", status="2xx") == 1
    assert value(found, "slipway_requests_total", **model, protocol="mlflow", status="2xx") == 1
    assert value(found, "slipway_requests_total", **model, status="4xx") == 1
    assert value(found, "slipway_requests_total", model="", status="4xx") == 1, "no client makes a label"
    assert value(found, "slipway_errors_total", **model, kind="bad_input") == 1
    assert value(found, "slipway_errors_total", model="", kind="unknown_model") == 1
    assert value(found, "slipway_errors_total", **model, kind="model_failed") == 1
    assert value(found, "slipway_request_duration_seconds_count", **model) == 4
    assert value(found, "slipway_request_duration_seconds_bucket", **model, le="+Inf") == 4
    assert value(predicts, "slipway_predict_duration_seconds_count", **model) == 2
    assert value(predicts, "slipway_batch_rows_sum", **model) == 3
    assert value(predicts, "slipway_queue_duration_seconds_count", **model) == 2
    assert value(predicts, "slipway_batch_requests_sum", **model) == 2


def test_what_serves_is_told_as_information(serve: Serve) -> None:
    client = serve("iris", "scaled", default="iris")
    client.post("/predict/iris", json=[])
    found = scrape(client)
    assert value(found, "slipway_build_info", release=RELEASE) == 1
    assert value(found, "slipway_deployment_info", deployment=client.get("/version").json["deployment"]) == 1
    assert value(found, "slipway_model_info", model="iris", version="3", default="true", run_id="run-iris") == 1
    assert value(found, "slipway_model_ready_workers", model="iris") == 1
    assert value(found, "slipway_worker_ready", worker="0") == 1
    assert value(found, "slipway_worker_memory_bytes", worker="0") > 10_000_000
    assert abs(value(found, "slipway_worker_start_time_seconds", worker="0") - time.time()) < 600
    assert value(found, "slipway_in_flight_requests") == 0


def test_openmetrics_is_spoken_to_who_asks_for_it(serve: Serve) -> None:
    client = serve("scaled")
    client.post("/predict", json={"x": 1.0})
    answer = client.get("/metrics", headers={"Accept": "application/openmetrics-text; version=1.0.0, text/plain"})
    assert answer.content_type.startswith("application/openmetrics-text")
    names = {family.name for family in parse_openmetrics(answer.text)}  # type: ignore[no-untyped-call]
    assert {"slipway_requests", "slipway_request_duration_seconds", "slipway_build"} <= names


def test_a_deployment_without_models_has_metrics_too(serve: Serve) -> None:
    found = scrape(serve())
    assert value(found, "slipway_worker_ready") == 1


def test_unknown_paths_make_no_series_of_their_own(serve: Serve) -> None:
    client = serve("scaled")
    for number in range(50):
        client.get(f"/nowhere-{number}")
        client.post(f"/models/m{number}/invocations", json={})
    scrape(client)
    before = len(scrape(client))
    for number in range(50, 100):
        client.get(f"/nowhere-{number}")
        client.post(f"/models/m{number}/invocations", json={})
    assert len(scrape(client)) == before


def eventually(condition: Callable[[], T | None], what: str) -> T:
    """Asks again, too, when a worker has just gone with its connections."""

    def asked() -> T | None:
        with contextlib.suppress(OSError):
            return condition()
        return None

    return until(asked, what, 60)


def counted(server: Server, sent: int) -> bool:
    return value(metrics_of(server), "slipway_requests_total", protocol="predict") == sent


def metrics_of(server: Server) -> Samples:
    connection = server.connect()
    connection.request("GET", "/metrics")
    answer = connection.getresponse().read().decode()
    connection.close()
    return samples(answer)


def counters(found: Samples) -> Samples:
    suffixes = ("_total", "_count", "_sum", "_bucket")
    return {key: number for key, number in found.items() if key[0].endswith(suffixes)}


def versions(server: Server) -> Any:
    return server.ask("GET", "/version")[1]["workers"]


def alive(server: Server) -> set[int]:
    return {worker["pid"] for worker in versions(server)}


@pytest.mark.long
def test_counters_never_go_back_while_workers_are_killed_and_the_server_restarts(start: Start) -> None:
    server = start("scaled")
    server.wait_ready()
    sent, before = 0, counters(metrics_of(server))
    for _ in range(2):
        for _ in range(10):
            assert server.ask("POST", "/predict", {"x": 1.0})[0] == 200
            sent += 1
            after = counters(metrics_of(server))
            assert all(after[key] >= number for key, number in before.items())
            before = after
        eventually(partial(counted, server, sent), "all are counted")
        before = counters(metrics_of(server))
        victim = versions(server)[0]["pid"]
        os.kill(victim, signal.SIGKILL)
        eventually(lambda: len(alive(server)) == 2 and victim not in alive(server), "another worker")  # noqa: B023
        eventually(lambda: all(worker["ready"] for worker in versions(server)), "all are ready")
        after = counters(metrics_of(server))
        assert all(after[key] >= number for key, number in before.items())
        assert value(after, "slipway_requests_total", protocol="predict") == sent
    assert value(metrics_of(server), "slipway_worker_exits_total") == 2
    assert server.stop() == 0
    again = start("scaled")
    again.wait_ready()
    assert value(metrics_of(again), "slipway_requests_total", protocol="predict", status="2xx") == sent
    assert value(metrics_of(again), "slipway_worker_ready") == 2
    again.stop()


def test_version_speaks_for_every_worker_once_the_server_is_ready(start: Start) -> None:
    server = start("scaled")
    server.wait_ready()
    for _ in range(5):
        version = server.ask("GET", "/version")[1]
        assert [worker["ready"] for worker in version["workers"]] == [True, True]
        assert version["worker"]["pid"] in {worker["pid"] for worker in version["workers"]}
        assert {worker["deployment"] for worker in version["workers"]} == {version["deployment"]}
        assert {model["status"] for worker in version["workers"] for model in worker["models"]} == {"ready"}
    assert version["slot"] == "a"
    server.stop()


@pytest.mark.parametrize("path", ["/metrics", "/version"])
def test_what_is_asked_often_makes_no_new_numbers_of_predictions(serve: Serve, path: str) -> None:
    client = serve("scaled")
    for _ in range(3):
        client.get(path)
    found = scrape(client)
    assert value(found, "slipway_requests_total", model="scaled") == 0
    assert value(found, "slipway_requests_total", protocol="server") >= 3

"""The real thing: gunicorn with the release's own configuration on a Unix socket, as the node's unit starts it."""

import contextlib
import json
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import mlflow.pyfunc
import pytest
from sklearn.datasets import load_diabetes

from contract import HEADERS
from tests.waiting import until

from .conftest import CHECKOUT, Start, digest, launch, write_manifest
from .process import Server

FRAME = load_diabetes(as_frame=True).data.head(20)


def test_it_becomes_ready_answers_as_the_offline_model_stops_and_starts_again(start: Start, models: Path) -> None:
    offline = mlflow.pyfunc.load_model(str(models / digest("diabetes"))).predict(FRAME).tolist()
    for _ in range(2):
        server = start("diabetes")
        server.wait_ready()
        connection = server.connect()
        for number, row in enumerate(FRAME.to_dict(orient="records")):
            status, answer, headers = server.ask("POST", "/predict", row, over=connection)
            assert (status, answer) == (200, {"predictions": [offline[number]]})
            assert headers[HEADERS.model] == "diabetes/3"
            assert headers["Connection"] == "keep-alive"
        connection.close()
        assert server.stop() == 0
        assert not server.socket.exists()
        assert {line["level"] for line in server.lines()} == {"info"}, server.log.read_text()


@pytest.mark.long
def test_a_graceful_stop_finishes_what_runs_and_tells_kept_alive_connections_to_close(start: Start) -> None:
    server = start("slow")
    server.wait_ready()
    kept = [server.connect() for _ in range(4)]
    for connection in kept:
        assert server.ask("GET", "/ping", over=connection)[0] == 200
    answers: list[tuple[int, Any, Any]] = []
    running = threading.Thread(target=lambda: answers.append(server.ask("POST", "/predict", {"seconds": 2.0})))
    running.start()
    until(server.in_flight, "the prediction runs")
    server.process.send_signal(signal.SIGTERM)
    status, body = _told_to_close(server, kept[0], "GET", "/readyz")
    assert (status, body["checks"][0]["check"]) == (503, "draining")
    status, _ = _told_to_close(server, kept[1], "POST", "/predict", {"seconds": 0.0})
    assert status == 200, "a connection that Nginx kept loses no request"
    running.join()
    assert answers[0][:2] == (200, {"predictions": [2.0]})
    assert server.process.wait(15) == 0, "idle connections do not hold a stop up until gunicorn's own limit"


def _told_to_close(server: Server, over: Any, method: str, path: str, body: Any = None) -> tuple[int, Any]:
    """The first answer that is the connection's last."""

    def last() -> tuple[int, Any] | None:
        status, answer, headers = server.ask(method, path, body, over)
        return (status, answer) if headers["Connection"] == "close" else None

    return until(last, "the worker has heard that it is to stop", 30)


def test_a_predict_that_does_not_return_ends_its_worker_and_a_ready_one_takes_over(start: Start) -> None:
    server = start("slow", arguments=("--timeout", "2"))
    server.wait_ready()
    with pytest.raises(OSError, match=r"Remote end closed|reset"):
        server.ask("POST", "/predict", {"seconds": 3600.0})
    assert [line for line in server.lines() if "WORKER TIMEOUT" in line["message"]]
    for _ in range(20):
        assert server.ask("GET", "/readyz")[0] == 200, "readiness is not taken back when one worker is replaced"
        assert server.ask("POST", "/predict", {"seconds": 0.0})[0] == 200
    assert server.stop() == 0


@pytest.fixture(scope="module")
def slow(models: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """For those that leave it as they found it."""
    folder = tmp_path_factory.mktemp("slow")
    server = launch(folder, models, write_manifest(models, folder, "slow"), "--timeout", "2")
    server.wait_ready()
    yield server
    assert server.stop() == 0


@pytest.mark.long
def test_many_short_predicts_in_a_row_are_no_stuck_predict(slow: Server) -> None:
    server = slow
    threads = [threading.Thread(target=lambda: server.ask("POST", "/predict", {"seconds": 0.5})) for _ in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not [line for line in server.lines() if "TIMEOUT" in line["message"]]


@pytest.mark.long
def test_health_is_answered_while_a_predict_runs(slow: Server) -> None:
    server = slow
    running = [threading.Thread(target=lambda: server.ask("POST", "/predict", {"seconds": 1.0})) for _ in range(6)]
    for thread in running:
        thread.start()
    until(lambda: server.in_flight() >= 4, "predictions run, and others wait")
    for path in ("/livez", "/readyz", "/version", "/ping") * 3:
        assert server.ask("GET", path)[0] == 200
    assert any(thread.is_alive() for thread in running), "none of them waited for the predicts"
    for thread in running:
        thread.join()


@pytest.mark.long
def test_a_model_that_fails_its_example_leaves_the_server_up_not_ready_and_saying_why(start: Start) -> None:
    server = start("iris", expected={"predictions": [2, 2, 2]})

    def failed() -> Any:
        with contextlib.suppress(OSError):
            status, body, _ = server.ask("GET", "/readyz")
            assert status == 503
            return body["checks"] if any(check["status"] == "failed" for check in body["checks"]) else None

    checks = until(failed, "a check has failed", 60)
    assert checks[0]["check"] == "model iris/3"
    assert checks[0]["message"] == "it answers its example wrongly: answer.predictions[0] is 0, expected 2 within 1e-06"
    assert [line for line in server.lines() if line["level"] == "error" and "not ready" in line["message"]]
    server.stop()


@pytest.mark.long
def test_a_manifest_that_cannot_be_read_ends_the_start_with_one_line(start: Start, tmp_path: Path) -> None:
    server = start("iris", expected={"predictions": [0]})
    server.stop()
    environment = {"PYTHONPATH": str(CHECKOUT), "SLIPWAY_SLOT": "a", "SLIPWAY_RUN": str(tmp_path)}
    command = [sys.executable, "-m", "gunicorn", "-c", "python:app.gunicorn_config"]
    for extra, reason in (
        ({}, "SLIPWAY_DEPLOYMENT must be set"),
        ({"SLIPWAY_DEPLOYMENT": "/nowhere"}, "cannot be read"),
    ):
        ended = subprocess.run(
            command, check=False, env={**environment, **extra}, capture_output=True, text=True, timeout=60
        )
        assert ended.returncode == 1
        assert reason in json.loads(ended.stdout)["message"]
        assert ended.stderr == ""


def test_the_log_has_one_json_line_per_request_and_never_the_payload(start: Start) -> None:
    server = start("scaled")
    server.wait_ready()
    server.ask("POST", "/invocations", {"dataframe_records": [{"x": 123454321.0}], "params": {"factor": 1.0}})
    server.ask("POST", "/predict", {"y": "987656789"})
    server.ask("POST", "/predict", {"x": 666})
    server.stop()
    lines = [line for line in server.lines() if line["message"] == "request" and line["path"] != "/readyz"]
    assert [line["status"] for line in lines] == [200, 400, 500]
    first = lines[0]
    assert (first["model"], first["version"], first["rows"]) == ("scaled", "3", 1)
    assert {"request_id", "total_ms", "parse_ms", "queue_ms", "predict_ms", "deployment"} <= first.keys()
    assert "123454321" not in server.log.read_text()
    assert "987656789" not in server.log.read_text()
    [trace] = [line for line in server.lines() if "trace" in line]
    assert trace["request_id"] == lines[2]["request_id"]
    assert "secret-cause" in trace["trace"]

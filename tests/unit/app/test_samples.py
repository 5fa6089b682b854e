"""The prediction log: what is kept of which predictions, and that nothing is kept unless asked for."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient

from app import settings
from app.core.errors import BadDeploymentError
from app.core.sample_files import CURRENT, SampleFiles
from app.core.samples import Samples
from app.core.serving import Serving
from app.http.factory import create_app

from .conftest import Deploy, Start
from .test_metrics import samples as parsed
from .test_metrics import value

Sampled = Callable[..., FlaskClient]


@pytest.fixture
def sampled(deploy: Deploy, serving: Callable[[Path], Serving], tmp_path: Path) -> Sampled:
    def start(*names: str, share: float = 1.0, daily_bytes: int = 2**30) -> FlaskClient:
        here = serving(deploy(*names))
        files = SampleFiles(tmp_path / "samples", daily_bytes)
        here.samples = Samples(files, share, here.deployment.id, here.meters.sample)
        here.start()
        return create_app(here).test_client()

    return start


def log(client: FlaskClient) -> Samples:
    found = client.application.extensions["slipway"].samples
    assert isinstance(found, Samples)
    return found


def kept(client: FlaskClient) -> list[Any]:
    log(client).flush()
    path = log(client).files.folder / CURRENT
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def counted(client: FlaskClient, result: str) -> float:
    log(client).flush()
    return value(parsed(client.get("/metrics").text), "slipway_prediction_log_samples_total", result=result)


def test_a_sample_is_what_was_asked_and_what_was_answered(sampled: Sampled) -> None:
    client = sampled("scaled")
    answer = client.post("/predict", json=[{"x": 1.5}, {"x": 2.0}], headers={"X-Request-Id": "mine-1"}).json
    [line] = kept(client)
    assert line["output"] == answer["predictions"]
    assert line["input"] == {"dataframe_split": {"columns": ["x"], "data": [[1.5], [2.0]]}}
    assert (line["model"], line["version"], line["rows"]) == ("scaled", "3", 2)
    assert (line["request_id"], line["protocol"]) == ("mine-1", "predict")
    assert line["deployment"] == client.get("/version").json["deployment"]
    assert client.post("/invocations", json=line["input"]).json == answer, "it can be sent again as it is"
    assert counted(client, "kept") == 2


ASKED = {
    "params": ("greet", "/invocations", {"dataframe_records": [{"name": "Ada"}], "params": {"word": "hi"}}),
    "a frame of every type": ("echo", "/invocations", None),
    "a dictionary": ("facts", "/invocations", {"dataframe_records": [{"x": 4.0}]}),
    "a tensor": ("halves", "/invocations", {"inputs": [[[1, 2, 3], [4, 5, 6]]]}),
    "tensors by name": ("joined", "/invocations", {"inputs": {"a": [[1.0, 2.0]], "b": [3]}}),
    "V2": (
        "iris",
        "/v2/models/iris/infer",
        {"inputs": [{"name": "rows", "shape": [1, 4], "datatype": "FP64", "data": [5.1, 3.5, 1.4, 0.2]}]},
    ),
}


@pytest.mark.parametrize(("model", "path", "body"), ASKED.values(), ids=ASKED)
def test_every_kind_of_input_can_be_sent_again_and_gives_the_output(
    sampled: Sampled, model: str, path: str, body: Any
) -> None:
    client = sampled(model)
    body = body or client.application.extensions["slipway"].deployment.models[0].expected.input
    assert client.post(path, json=body).status_code == 200
    [line] = kept(client)
    again = client.post("/invocations", json=line["input"])
    assert again.status_code == 200, again.text
    assert json.loads(again.text, parse_constant=lambda _: None)["predictions"] == line["output"]


def test_what_json_cannot_hold_is_null_in_a_line(sampled: Sampled) -> None:
    client = sampled("halves")
    client.post("/invocations", json={"inputs": [[[1, 2, 3], [4, 5, -6]]]})
    log(client).flush()
    assert b"NaN" not in (log(client).files.folder / CURRENT).read_bytes()
    assert kept(client)[0]["output"] == [[[0.5, 1.0, 1.5], [2.0, 2.5, None]]]


def test_what_failed_is_not_kept(sampled: Sampled) -> None:
    client = sampled("scaled")
    assert client.post("/predict", json={"x": 666}).status_code == 500
    assert client.post("/predict", json={"y": 1}).status_code == 400
    assert kept(client) == []


@pytest.mark.parametrize(("share", "least", "most"), [(0.0, 0, 0), (0.5, 50, 150), (1.0, 200, 200)])
def test_a_share_is_kept(sampled: Sampled, share: float, least: int, most: int) -> None:
    client, count = sampled("scaled", share=share), 0
    for _ in range(200):
        client.post("/predict", json={"x": 1.0})
        count = len(kept(client))
    assert least <= count <= most


def test_of_a_large_sample_only_the_size_is_kept(sampled: Sampled) -> None:
    client = sampled("scaled")
    client.post("/predict", json=[{"x": 1.0}] * 20_000)
    [line] = kept(client)
    assert line["rows"] == 20_000
    assert line["too_large"] is True
    assert "input" not in line
    assert counted(client, "too_large") == 1


def test_what_is_more_than_a_day_may_have_is_counted_and_not_kept(sampled: Sampled) -> None:
    client = sampled("scaled", daily_bytes=1000)
    for _ in range(10):
        client.post("/predict", json={"x": 1.0})
    few = len(kept(client))
    assert 0 < few < 10
    assert (counted(client, "kept"), counted(client, "over_daily_bound")) == (few, 10 - few)


def test_samples_that_pile_up_are_dropped_and_counted(sampled: Sampled, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Samples, "_run", lambda _: None)
    monkeypatch.setattr(Samples, "flush", lambda _: None)
    client = sampled("scaled")
    for _ in range(150):
        assert client.post("/predict", json={"x": 1.0}).status_code == 200
    assert log(client)._queue.qsize() == 100
    assert counted(client, "busy") == 50


def test_a_folder_that_cannot_be_written_costs_samples_and_no_prediction(sampled: Sampled, tmp_path: Path) -> None:
    client = sampled("scaled")
    (tmp_path / "samples" / CURRENT).mkdir()
    assert client.post("/predict", json={"x": 1.0}).status_code == 200
    log(client).flush()
    assert counted(client, "failed") == 1


@pytest.mark.long
def test_the_share_is_a_setting_and_nothing_is_kept_without_it(start: Start, tmp_path: Path) -> None:
    environ = {"SLIPWAY_SLOT": "a", "SLIPWAY_DEPLOYMENT": "/d.json"}
    assert settings.read(environ).sample == 0
    given = {"SLIPWAY_SAMPLE": "0.25", "SLIPWAY_SAMPLES": "/var/log/x", "SLIPWAY_SAMPLE_DAILY_BYTES": "7"}
    asked = settings.read({**environ, **given})
    assert (asked.sample, str(asked.samples), asked.sample_daily_bytes) == (0.25, "/var/log/x", 7)
    for name, wrong in [
        ("", "2"),
        ("", "-1"),
        ("", "some"),
        ("", "nan"),
        ("_DAILY_BYTES", "0"),
        ("_DAILY_BYTES", "1G"),
    ]:
        with pytest.raises(BadDeploymentError, match=f"SLIPWAY_SAMPLE{name} is"):
            settings.read({**environ, f"SLIPWAY_SAMPLE{name}": wrong})
    server = start("scaled")
    server.wait_ready()
    assert server.ask("POST", "/predict", {"x": 1.0})[0] == 200
    server.stop()
    assert not (tmp_path / "predictions").exists()


@pytest.mark.long
def test_all_workers_write_whole_lines_and_the_last_ones_at_their_end(start: Start, tmp_path: Path) -> None:
    server = start("scaled", environ={"SLIPWAY_SAMPLE": "1"})
    server.wait_ready()
    for number in range(60):
        path = "/predict" if number % 2 else "/invocations"
        body = {"x": float(number)} if number % 2 else {"dataframe_records": [{"x": float(number)}]}
        assert server.ask("POST", path, body)[0] == 200
    server.stop()
    lines = [json.loads(line) for line in (tmp_path / "predictions" / CURRENT).read_text().splitlines()]
    asked = {line["input"]["dataframe_split"]["data"][0][0]: line["output"] for line in lines}
    assert asked == {float(number): [number * 2.0] for number in range(60)}
    assert len({line["request_id"] for line in lines}) == 60
    assert {line["protocol"] for line in lines} == {"mlflow", "predict"}

"""The prediction log: what is kept, that it stays small, and that nothing is kept unless asked for."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient

from app import settings
from app.core.errors import BadDeploymentError
from app.core.samples import FILE, OLDER, Samples
from app.core.serving import Serving
from app.http.factory import create_app

from .conftest import Deploy, Start


@pytest.fixture
def sampled(deploy: Deploy, serving: Callable[[Path], Serving], tmp_path: Path) -> Callable[..., FlaskClient]:
    def start(name: str, share: float = 1.0, **options: Any) -> FlaskClient:
        here = serving(deploy(name))
        here.samples = Samples(tmp_path / "samples", share, here.deployment.id, **options)
        here.start()
        return create_app(here).test_client()

    return start


def kept(client: FlaskClient, name: str = FILE) -> list[Any]:
    samples = client.application.extensions["slipway"].samples
    samples.flush()
    path = samples.folder / name
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def test_a_sample_is_what_was_asked_and_what_was_answered(sampled: Callable[..., FlaskClient]) -> None:
    client = sampled("scaled")
    answer = client.post("/predict", json=[{"x": 1.5}, {"x": 2.0}]).json
    [line] = kept(client)
    assert line["output"] == answer["predictions"]
    assert line["input"] == {"dataframe_split": {"columns": ["x"], "data": [[1.5], [2.0]]}}
    assert (line["model"], line["version"], line["rows"]) == ("scaled", "3", 2)
    assert client.post("/invocations", json=line["input"]).json == answer, "it can be sent again as it is"


def test_what_failed_is_not_kept(sampled: Callable[..., FlaskClient]) -> None:
    client = sampled("scaled")
    assert client.post("/predict", json={"x": 666}).status_code == 500
    assert client.post("/predict", json={"y": 1}).status_code == 400
    assert kept(client) == []


@pytest.mark.parametrize(("share", "least", "most"), [(0.0, 0, 0), (0.5, 50, 150), (1.0, 200, 200)])
def test_a_share_is_kept(sampled: Callable[..., FlaskClient], share: float, least: int, most: int) -> None:
    client, count = sampled("scaled", share), 0
    for _ in range(200):
        client.post("/predict", json={"x": 1.0})
        count = len(kept(client))
    assert least <= count <= most


def test_two_files_of_a_size_are_all_there_ever_is(sampled: Callable[..., FlaskClient]) -> None:
    client = sampled("scaled", file_bytes=2000)
    for number in range(40):
        client.post("/predict", json={"x": float(number)})
        kept(client)
    folder = client.application.extensions["slipway"].samples.folder
    assert sum(path.stat().st_size for path in folder.iterdir()) <= 4000
    newest = kept(client)[-1]["input"]["dataframe_split"]["data"]
    assert newest == [[39.0]]
    assert kept(client, OLDER)


def test_of_a_large_sample_only_the_size_is_kept(sampled: Callable[..., FlaskClient]) -> None:
    client = sampled("scaled")
    client.post("/predict", json=[{"x": 1.0}] * 20_000)
    [line] = kept(client)
    assert line["rows"] == 20_000
    assert line["too_large_bytes"] > 65536
    assert "input" not in line


def test_samples_that_pile_up_are_dropped(sampled: Callable[..., FlaskClient], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Samples, "_run", lambda _: None)
    client = sampled("scaled")
    for _ in range(150):
        assert client.post("/predict", json={"x": 1.0}).status_code == 200
    assert client.application.extensions["slipway"].samples._queue.qsize() == 100


def test_the_share_is_a_setting_and_nothing_is_kept_without_it(start: Start, tmp_path: Path) -> None:
    environ = {"SLIPWAY_SLOT": "a", "SLIPWAY_DEPLOYMENT": "/d.json"}
    assert settings.read(environ).sample == 0
    asked = settings.read({**environ, "SLIPWAY_SAMPLE": "0.25", "LOGS_DIRECTORY": "/var/log/slipway"})
    assert (asked.sample, str(asked.samples)) == (0.25, "/var/log/slipway")
    for wrong in ("2", "-1", "some", "nan"):
        with pytest.raises(BadDeploymentError, match="SLIPWAY_SAMPLE is"):
            settings.read({**environ, "SLIPWAY_SAMPLE": wrong})
    server = start("scaled")
    server.wait_ready()
    assert server.ask("POST", "/predict", {"x": 1.0})[0] == 200
    server.stop()
    assert not (tmp_path / "predictions").exists()

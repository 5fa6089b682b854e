"""What the server answers equals what the offline model answers, in every format that it takes."""

import threading
from pathlib import Path
from typing import Any

import mlflow.pyfunc
import mlflow.sklearn
import pandas
import pytest
from flask.testing import FlaskClient
from sklearn.datasets import load_diabetes

from contract import HEADERS
from tests.waiting import until

from .conftest import RELEASE, Serve, digest

FRAME = load_diabetes(as_frame=True).data.head(5)
RECORDS = FRAME.to_dict(orient="records")
LISTS = FRAME.to_numpy().tolist()


@pytest.fixture
def offline(models: Path) -> list[float]:
    predictions = mlflow.pyfunc.load_model(str(models / digest("diabetes"))).predict(FRAME)
    return [float(value) for value in predictions]


@pytest.mark.parametrize(
    "body",
    [
        {"dataframe_split": {"columns": list(FRAME), "data": LISTS}},
        {"dataframe_records": RECORDS},
        {"instances": RECORDS},
        {"inputs": {name: FRAME[name].tolist() for name in FRAME}},
    ],
    ids=lambda body: next(iter(body)),
)
def test_every_json_input_of_mlflow_gives_the_offline_answers(serve: Serve, offline: list[float], body: Any) -> None:
    answer = serve("diabetes").post("/invocations", json=body)
    assert answer.status_code == 200, answer.text
    assert answer.json == {"predictions": offline}


@pytest.mark.parametrize("content_type", ["text/csv", "text/csv; charset=utf-8"])
def test_csv_gives_the_offline_answers(serve: Serve, offline: list[float], content_type: str) -> None:
    answer = serve("diabetes").post("/invocations", data=FRAME.to_csv(index=False), content_type=content_type)
    assert answer.json == {"predictions": offline}, answer.text


@pytest.mark.parametrize("rows", [RECORDS, LISTS], ids=["objects", "lists"])
def test_plain_rows_give_the_offline_answers(serve: Serve, offline: list[float], rows: Any) -> None:
    assert serve("diabetes").post("/predict", json=rows).json == {"predictions": offline}


def test_a_plain_object_is_one_row(serve: Serve, offline: list[float]) -> None:
    assert serve("diabetes").post("/predict", json=RECORDS[0]).json == {"predictions": offline[:1]}


def test_params_reach_the_model_and_default_when_absent(serve: Serve) -> None:
    client = serve("scaled")
    body: dict[str, Any] = {"dataframe_records": [{"x": 2.0}]}
    assert client.post("/invocations", json=body).json == {"predictions": [4.0]}
    assert client.post("/invocations", json={**body, "params": {"factor": 10.0}}).json == {"predictions": [20.0]}


def test_a_text_pipeline_answers_labels_and_their_probabilities(serve: Serve, models: Path) -> None:
    texts = ["good film", "awful bore"]
    answer = serve("text").post("/predict", json=[{"text": text} for text in texts]).json
    estimator = mlflow.sklearn.load_model(str(models / digest("text")))
    assert (answer["predictions"], answer["classes"]) == (["+", "-"], ["+", "-"])
    assert answer["probabilities"] == estimator.predict_proba(pandas.DataFrame({"text": texts})).tolist()


def test_every_answer_names_deployment_model_and_request(serve: Serve) -> None:
    client = serve("diabetes")
    identity = client.get("/version").json["deployment"]
    for path in ("/version", "/ping", "/predict", "/nowhere"):
        answer = client.get(path, headers={HEADERS.request_id: "mine-1"})
        assert answer.headers[HEADERS.deployment] == identity
        assert answer.headers[HEADERS.model] == "diabetes/3"
        assert answer.headers[HEADERS.request_id] == "mine-1"


def test_a_request_id_that_is_unsafe_in_a_log_is_replaced(serve: Serve) -> None:
    answer = serve().get("/ping", headers={HEADERS.request_id: 'x" {'})
    assert len(answer.headers[HEADERS.request_id]) == 32


def test_several_models_are_reached_by_name_and_the_default_by_none(serve: Serve) -> None:
    client = serve("iris", "scaled", default="scaled")
    assert client.post("/predict", json={"x": 1.0}).json == {"predictions": [2.0]}
    assert client.post("/predict/scaled", json={"x": 1.0}).headers[HEADERS.model] == "scaled/3"
    iris = client.post("/models/iris/invocations", json={"inputs": {}})
    assert (iris.status_code, iris.headers[HEADERS.model]) == (400, "iris/3")


def test_without_a_default_model_the_short_path_names_the_models(serve: Serve) -> None:
    answer = serve("iris", "scaled").post("/predict", json={"x": 1.0})
    assert answer.status_code == 404
    assert "iris, scaled" in answer.json["error"]["message"]


def test_a_deployment_without_models_is_ready_and_says_how_to_deliver_one(serve: Serve) -> None:
    client = serve()
    assert _ready(client).status_code == 200
    answer = client.post("/invocations", json={"inputs": [1]})
    assert answer.status_code == 404
    assert answer.json["error_code"] == "RESOURCE_DOES_NOT_EXIST"
    assert "champion" in answer.json["message"]
    assert HEADERS.model not in answer.headers


def test_version_says_what_is_really_served(serve: Serve) -> None:
    client = serve("diabetes")
    client.post("/predict", json=RECORDS)
    version = client.get("/version").json
    assert version["release"] == RELEASE
    [model] = version["models"]
    assert (model["name"], model["version"], model["digest"]) == ("diabetes", "3", digest("diabetes"))
    assert (model["status"], model["default"]) == ("ready", True)


def _ready(client: FlaskClient) -> Any:
    client.application.extensions["slipway"]._thread.submit(lambda: None).result()
    return client.get("/readyz")


def test_ready_once_the_model_has_answered_its_example(serve: Serve) -> None:
    assert _ready(serve("diabetes")).json == {"status": "ready", "checks": []}


def test_a_model_that_answers_its_example_wrongly_is_never_ready(serve: Serve) -> None:
    client = serve("diabetes", expected={"predictions": [0.0, 0.0, 0.0]})
    answer = _ready(client)
    assert answer.status_code == 503
    assert "answer.predictions[0] is " in answer.json["checks"][0]["message"]
    assert client.post("/predict", json=RECORDS).status_code == 503


def test_a_model_that_does_not_load_is_never_ready(serve: Serve, models: Path, monkeypatch: Any) -> None:
    monkeypatch.setattr("app.core.shelf.load", lambda version, folder: mlflow.pyfunc.load_model(str(folder / "no")))
    answer = _ready(serve("iris"))
    assert answer.status_code == 503
    assert "does not load" in answer.json["checks"][0]["message"]


def test_a_draining_server_is_not_ready_and_still_answers(serve: Serve, tmp_path: Path) -> None:
    client = serve("scaled")
    assert _ready(client).status_code == 200
    (tmp_path / "draining").touch()
    answer = client.get("/readyz")
    assert (answer.status_code, [check["check"] for check in answer.json["checks"]]) == (503, ["draining"])
    assert client.post("/predict", json={"x": 1.0}).status_code == 200


def test_the_log_has_of_a_balancers_questions_only_those_that_were_not_answered_well(
    serve: Serve, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    client = serve("scaled")
    with caplog.at_level("INFO", "app.access"):
        assert (_ready(client).status_code, client.get("/livez").status_code) == (200, 200)
        (tmp_path / "draining").touch()
        client.get("/readyz")
        client.get("/version")
    lines = [vars(each) for each in caplog.records if each.name == "app.access"]
    assert [(line["path"], line["status"]) for line in lines] == [("/readyz", 503), ("/version", 200)]


def test_draining_hides_no_other_failing_check(serve: Serve, tmp_path: Path) -> None:
    (tmp_path / "draining").touch()
    checks = _ready(serve("iris", expected={})).json["checks"]
    assert [check["check"] for check in checks] == ["draining", "model iris/3", "workers"]


def test_what_would_wait_too_long_is_refused_at_once(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("app.core.scoring.QUEUE_LIMIT", 1)
    client = serve("slow")
    assert _ready(client).status_code == 200
    running = threading.Thread(target=lambda: client.post("/predict", json={"seconds": 1.0}))
    running.start()
    scoring = client.application.extensions["slipway"].scoring
    until(lambda: scoring.waiting == 1, "the first is in the line")
    answer = client.application.test_client().post("/predict", json={"seconds": 0.0})
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "1")
    assert answer.json["error"]["code"] == "TEMPORARILY_UNAVAILABLE"
    running.join()

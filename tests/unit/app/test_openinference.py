"""The Open Inference Protocol over HTTP, request by request: what it answers, and what it refuses in its own shape."""

from typing import Any

import numpy
import pytest
from flask.testing import FlaskClient

from .conftest import RELEASE, Serve
from .zoo import MIXED_ROW

IRIS = {"name": "x", "datatype": "FP64", "shape": [2, 4], "data": [5.1, 3.5, 1.4, 0.2, 6.7, 3.0, 5.2, 2.3]}
COLUMNS = ["sepal length (cm)", "sepal width (cm)", "petal length (cm)", "petal width (cm)"]


def infer(client: FlaskClient, model: str, *inputs: dict[str, Any], **more: Any) -> Any:
    return client.post(f"/v2/models/{model}/infer", json={"inputs": list(inputs), **more})


def outputs(answer: Any) -> dict[str, Any]:
    assert answer.status_code == 200, answer.text
    return {output["name"]: output["data"] for output in answer.json["outputs"]}


def column(name: str, datatype: str, *data: Any) -> dict[str, Any]:
    return {"name": name, "datatype": datatype, "shape": [len(data)], "data": list(data)}


def test_the_server_says_what_it_speaks_and_that_it_is_ready(zoo_client: FlaskClient) -> None:
    server = zoo_client.get("/v2").json
    assert (server["name"], server["version"]) == ("slipway", RELEASE[:12])
    assert {"model_repository", "binary_tensor_data"} <= set(server["extensions"])
    assert zoo_client.get("/v2/health/live").json == {"live": True}
    assert zoo_client.get("/v2/health/ready").json == {"ready": True}
    for path in ("/v2/models/iris/ready", "/v2/models/iris/versions/3/ready"):
        assert zoo_client.get(path).json == {"name": "iris", "ready": True}


def test_the_metadata_is_the_signature(zoo_client: FlaskClient) -> None:
    iris = zoo_client.get("/v2/models/iris").json
    assert iris == zoo_client.get("/v2/models/iris/versions/3").json
    assert (iris["name"], iris["versions"], iris["platform"]) == ("iris", ["3"], "mlflow.sklearn")
    assert iris["inputs"] == [{"name": name, "datatype": "FP64", "shape": [-1]} for name in COLUMNS]
    assert iris["outputs"] == [
        {"name": "predictions", "datatype": "INT64", "shape": [-1]},
        {"name": "probabilities", "datatype": "FP64", "shape": [-1, 3]},
        {"name": "classes", "datatype": "INT64", "shape": [3]},
    ]
    inputs = {tensor["name"]: tensor for tensor in zoo_client.get("/v2/models/echo").json["inputs"]}
    assert [tensor["datatype"] for tensor in inputs.values()] == [
        *("INT64", "INT32", "FP64", "FP32", "BOOL", "BYTES", "BYTES", "BYTES", "FP64", "FP64")
    ]
    assert inputs["parts"]["shape"] == [-1, -1]
    halves = zoo_client.get("/v2/models/halves").json
    assert halves["inputs"] == [{"name": "0", "datatype": "FP32", "shape": [-1, 2, 3]}]
    assert halves["outputs"] == [{"name": "predictions", "datatype": "FP32", "shape": [-1, 2, 3]}]
    assert zoo_client.get("/v2/models/unsigned").json["inputs"] == []


@pytest.mark.parametrize("data", [IRIS["data"], [IRIS["data"][:4], IRIS["data"][4:]]], ids=["flat", "nested"])
def test_one_matrix_is_all_columns_in_order(zoo_client: FlaskClient, data: Any) -> None:
    answer = infer(zoo_client, "iris", {**IRIS, "data": data}, id="mine")
    assert answer.json == {
        "model_name": "iris",
        "model_version": "3",
        "id": "mine",
        "outputs": [{"name": "predictions", "datatype": "INT64", "shape": [2], "data": [0, 2]}],
    }


def test_several_inputs_are_columns_in_any_order(zoo_client: FlaskClient) -> None:
    rows = numpy.array(IRIS["data"]).reshape(2, 4)
    columns = [column(name, "FP64", *rows[:, number]) for number, name in enumerate(COLUMNS)]
    assert outputs(infer(zoo_client, "iris", *reversed(columns))) == {"predictions": [0, 2]}
    tall = [{**tensor, "shape": [2, 1], "data": [[item] for item in tensor["data"]]} for tensor in columns]
    assert outputs(infer(zoo_client, "iris", *tall)) == {"predictions": [0, 2]}


def test_a_matrix_of_floats_fills_columns_of_other_numbers_where_nothing_is_lost(zoo_client: FlaskClient) -> None:
    whole = {"name": "input-0", "datatype": "FP32", "shape": [1, 4], "data": [5, 3, 1, 0]}
    assert outputs(infer(zoo_client, "boosted", whole)) == {"predictions": [0]}
    assert outputs(infer(zoo_client, "scaled", column("any", "INT64", 3))) == {"predictions": [6.0]}


def test_every_column_type_has_a_datatype(zoo_client: FlaskClient) -> None:
    answer = infer(
        zoo_client,
        "echo",
        column("count", "INT64", 7),
        column("small", "INT32", -3),
        column("size", "FP64", 2.5),
        column("ratio", "FP32", 0.5),
        column("open", "BOOL", True),
        column("city", "BYTES", "Zürich"),
        column("when", "BYTES", "2026-01-02T03:04:05"),
        {**column("blob", "BYTES", "AP8="), "parameters": {"content_type": "base64"}},
        {"name": "parts", "datatype": "FP64", "shape": [1, 2], "data": [1.0, 2.5]},
    )
    found = outputs(answer)
    assert found.pop("when")[0].startswith(MIXED_ROW["when"])
    expected = {**MIXED_ROW, "blob": 2, "sum": 3.5}
    assert found == {name: [value] for name, value in expected.items() if name not in ("parts", "when")}
    datatypes = {output["name"]: output["datatype"] for output in answer.json["outputs"]}
    assert (datatypes["ratio"], datatypes["open"], datatypes["small"]) == ("FP32", "BOOL", "INT32")


def test_text_goes_in_and_comes_out(zoo_client: FlaskClient) -> None:
    assert outputs(infer(zoo_client, "text", column("text", "BYTES", "good film", "bad film"))) == {
        "predictions": ["+", "-"]
    }
    assert outputs(infer(zoo_client, "unsigned", column("anything", "BYTES", "bad bore"))) == {"predictions": ["-"]}


def test_a_model_with_type_hints_takes_json_in_bytes(zoo_client: FlaskClient) -> None:
    answer = infer(zoo_client, "hinted", column("rows", "BYTES", '{"a": 1}', '{"b": 2}'))
    assert outputs(answer) == {"predictions": ["a=1", "b=2"]}


def test_request_parameters_are_the_models_params(zoo_client: FlaskClient) -> None:
    name = column("name", "BYTES", "Ada")
    assert outputs(infer(zoo_client, "greet", name)) == {"predictions": ["hello Ada"]}
    answer = infer(zoo_client, "greet", name, parameters={"word": "dear", "of_no_model": 1})
    assert outputs(answer) == {"predictions": ["dear Ada"]}
    wrong = infer(zoo_client, "greet", name, parameters={"word": 1})
    assert wrong.status_code == 400
    assert "word" in wrong.json["error"] or "int" in wrong.json["error"]


def test_tensors_keep_their_shape_and_nan_is_null(zoo_client: FlaskClient) -> None:
    cube = {"name": "any", "datatype": "FP32", "shape": [1, 2, 3], "data": [[[1, 2, 3], [4, 5, -6]]]}
    [output] = infer(zoo_client, "halves", cube).json["outputs"]
    assert (output["shape"], output["datatype"]) == ([1, 2, 3], "FP32")
    assert output["data"] == [0.5, 1.0, 1.5, 2.0, 2.5, None]
    pair = [
        {"name": "a", "datatype": "FP64", "shape": [2, 2], "data": [1, 2, 3, 4]},
        {"name": "b", "datatype": "INT64", "shape": [2], "data": [1, 2]},
    ]
    assert outputs(infer(zoo_client, "joined", *pair)) == {"sum": [4.0, 9.0], "b": [1, 2]}


def test_a_dictionary_is_an_output_per_key(zoo_client: FlaskClient) -> None:
    answer = infer(zoo_client, "facts", column("x", "FP64", 1.0, 9.0))
    assert outputs(answer) == {"mean": [5.0], "name": ["facts"], "root": [1.0, 3.0]}
    asked = infer(zoo_client, "facts", column("x", "FP64", 4.0), outputs=[{"name": "root"}])
    assert outputs(asked) == {"root": [2.0]}


@pytest.mark.parametrize("model", ["iris", "boosted"])
def test_a_classifier_gives_probabilities_when_asked_by_name(zoo_client: FlaskClient, model: str) -> None:
    names = ["probabilities", "predictions", "classes"]
    answer = infer(zoo_client, model, IRIS, outputs=[{"name": name} for name in names])
    found = outputs(answer)
    assert list(found) == names, "in the order that was asked for"
    assert [output["shape"] for output in answer.json["outputs"]] == [[2, 3], [2], [3]]
    rows = numpy.array(found["probabilities"]).reshape(2, 3)
    assert rows.sum(axis=1) == pytest.approx([1, 1])
    assert [found["classes"][place] for place in rows.argmax(axis=1)] == found["predictions"]


def test_the_repository_index_lists_what_the_deployment_has(zoo_client: FlaskClient) -> None:
    index = zoo_client.post("/v2/repository/index").json
    assert {"name": "iris", "version": "3", "state": "READY", "reason": ""} in index
    assert zoo_client.post("/v2/repository/index", json={"ready": True}).json == index
    for verb in ("load", "unload"):
        answer = zoo_client.post(f"/v2/repository/models/iris/{verb}", json={})
        assert answer.status_code == 400
        assert "only a rollout" in answer.json["error"]


def test_a_model_that_is_not_ready_is_in_the_index_with_its_reason(serve: Serve) -> None:
    client = serve("diabetes", expected={"predictions": [0.0, 0.0, 0.0]})
    client.application.extensions["slipway"]._thread.submit(lambda: None).result()
    [entry] = client.post("/v2/repository/index", json={"ready": False}).json
    assert entry["state"] == "UNAVAILABLE"
    assert "answers its example wrongly" in entry["reason"]
    assert client.post("/v2/repository/index", json={"ready": True}).json == []
    for path in ("/v2/health/ready", "/v2/models/diabetes/ready"):
        answer = client.get(path)
        assert (answer.status_code, answer.json["ready"]) == (503, False)
    assert infer(client, "diabetes", IRIS).status_code == 503

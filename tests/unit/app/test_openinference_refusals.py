"""What a request of the Open Inference Protocol is refused for: by name, and in the protocol's own shape."""

import json
from typing import Any

import pytest
from flask.testing import FlaskClient

from .test_openinference import COLUMNS, IRIS, column, infer


@pytest.mark.parametrize(
    ("method", "path", "status", "says"),
    [
        ("POST", "/v2/models/tulip/infer", 404, "no model 'tulip'"),
        ("POST", "/v2/models/iris/versions/4/infer", 404, "no version '4' of model 'iris'"),
        ("GET", "/v2/models/iris/versions/4", 404, "has version 3"),
        ("GET", "/v2/models/tulip/ready", 404, "no model 'tulip'"),
        ("POST", "/v2/repository/models/tulip/load", 404, "no model 'tulip'"),
        ("GET", "/v2/models/iris/config", 404, "nothing at /v2/models/iris/config"),
        ("GET", "/v2/models/iris/infer", 405, "does not take GET"),
    ],
)
def test_what_is_not_there_is_said_in_the_protocols_own_shape(
    zoo_client: FlaskClient, method: str, path: str, status: int, says: str
) -> None:
    answer = zoo_client.open(path, method=method, json={"inputs": []} if method == "POST" else None)
    assert answer.status_code == status
    assert set(answer.json) == {"error"}
    assert says in answer.json["error"]


BAD = {
    "no object": ([1], "the request is a list, expected an object"),
    "no inputs": ({}, 'the request lacks "inputs"'),
    "empty inputs": ({"inputs": []}, '"inputs" is empty'),
    "inputs no list": ({"inputs": {}}, '"inputs" of the request is an object, expected a list'),
    "input no object": ({"inputs": [1]}, 'item 0 of "inputs" is a number'),
    "no name": ({"inputs": [{}]}, 'input 0 lacks "name"'),
    "name no string": ({"inputs": [{"name": 1}]}, '"name" of input 0 is a number'),
    "no datatype": ({"inputs": [{"name": "x"}]}, "input 'x' lacks \"datatype\""),
    "unknown datatype": ({"inputs": [{**IRIS, "datatype": "FP8"}]}, "has the datatype 'FP8', expected one of BOOL"),
    "negative shape": ({"inputs": [{**IRIS, "shape": [-1, 4]}]}, "holds -1, expected whole numbers"),
    "fractional shape": ({"inputs": [{**IRIS, "shape": [2.0, 4]}]}, "holds 2.0"),
    "no shape": ({"inputs": [{**IRIS, "shape": []}]}, "has 0 dimensions"),
    "wrong shape": ({"inputs": [{**IRIS, "shape": [3, 4]}]}, "has 8 items, expected 12 for shape [3, 4]"),
    "wrong columns": ({"inputs": [{**IRIS, "shape": [4, 2]}]}, "expected a tensor for each of the columns sepal"),
    "no data": ({"inputs": [{"name": "x", "datatype": "FP64", "shape": [1]}]}, "input 'x' lacks \"data\""),
    "wrong type": ({"inputs": [{**IRIS, "datatype": "INT64"}]}, "element 0 of input 'x' is a number, expected a whole"),
    "same name": ({"inputs": [IRIS, IRIS]}, "two inputs have the name 'x'"),
    "id no string": ({"inputs": [IRIS], "id": 1}, '"id" of the request is a number, expected a string'),
    "parameters": ({"inputs": [IRIS], "parameters": 1}, '"parameters" of the request is a number'),
    "shared memory": ({"inputs": [{**IRIS, "parameters": {"shared_memory_region": "a"}}]}, "shared_memory_region"),
    "unknown output": ({"inputs": [IRIS], "outputs": [{"name": "y"}]}, "no output 'y', expected one of: predictions"),
    "output twice": ({"inputs": [IRIS], "outputs": [{"name": "y"}, {"name": "y"}]}, "asked for twice"),
    "classification": (
        {"inputs": [IRIS], "outputs": [{"name": "predictions", "parameters": {"classification": 2}}]},
        'the parameter "classification"',
    ),
    "missing column": (
        {"inputs": [column(name, "FP64", 1.0) for name in COLUMNS[:3]]},
        "lacks the input 'petal width (cm)'",
    ),
    "unknown column": ({"inputs": [IRIS, column("y", "FP64", 1.0)]}, "there is no input 'x', expected sepal length"),
    "unequal columns": (
        {"inputs": [column(name, "FP64", *[1.0] * (number + 1)) for number, name in enumerate(COLUMNS)]},
        "has the shape [2], expected as many rows as input 'sepal length (cm)', which has the shape [1]",
    ),
    "text for numbers": (
        {"inputs": [column(name, "BYTES", "1") for name in COLUMNS]},
        "has the datatype BYTES, expected FP64 for a column of type double",
    ),
    "binary size": ({"inputs": [{**IRIS, "parameters": {"binary_data_size": 64}}]}, 'both "data" and'),
}


@pytest.mark.parametrize(("body", "says"), BAD.values(), ids=BAD)
def test_a_bad_request_is_refused_by_name(zoo_client: FlaskClient, body: Any, says: str) -> None:
    answer = zoo_client.post("/v2/models/iris/infer", json=body)
    assert answer.status_code == 400, answer.text
    assert set(answer.json) == {"error"}
    assert says in answer.json["error"]
    assert len(answer.text) < 2000


def test_a_datatype_that_the_column_does_not_take_is_named_by_column(zoo_client: FlaskClient) -> None:
    columns = [column(name, "FP64", 1.0) for name in COLUMNS[:3]]
    answer = infer(zoo_client, "iris", *columns, column(COLUMNS[3], "INT64", 2))
    assert answer.status_code == 400
    assert "column petal width (cm). Can not safely convert int64 to float64" in answer.json["error"]


@pytest.mark.parametrize(
    ("header", "tail", "says"),
    [
        ("many", b"", "Inference-Header-Content-Length is 'many', expected a number of at most"),
        ("99999", b"", "expected a number of at most"),
        (None, b"\0" * 8, "the body is not JSON"),
        ("exact", b"\0" * 8, "take 64 bytes of binary data, the body has 72"),
        ("exact", b"", "is 64, expected a number of at most 56"),
    ],
)
def test_binary_data_must_be_all_there_and_no_more(
    zoo_client: FlaskClient, header: str | None, tail: bytes, says: str
) -> None:
    tensor = {"name": "x", "datatype": "FP64", "shape": [2, 4], "parameters": {"binary_data_size": 64}}
    text = json.dumps({"inputs": [tensor]}).encode()
    data = b"\0" * (56 if "at most 56" in says else 64)
    headers = (
        {} if header is None else {"Inference-Header-Content-Length": str(len(text)) if header == "exact" else header}
    )
    answer = zoo_client.post("/v2/models/iris/infer", data=text + data + tail, headers=headers)
    assert answer.status_code == 400, answer.text
    assert says in answer.json["error"]

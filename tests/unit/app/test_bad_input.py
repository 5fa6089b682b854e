"""Every wrong request gets a 4xx that names what came and what was expected; no body whatever gets a 5xx."""

import json
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from contract import HTTP

from .conftest import Serve

ROW = {"sepal length (cm)": 5.1, "sepal width (cm)": 3.5, "petal length (cm)": 1.4, "petal width (cm)": 0.2}
LESS = {name: value for name, value in ROW.items() if name != "petal width (cm)"}


def _records(**changes: Any) -> str:
    return json.dumps({"dataframe_records": [{**ROW, **{name.replace("_", " "): v for name, v in changes.items()}}]})


BAD_JSON = {
    "empty": (b"", "the body is empty"),
    "truncated": (b'{"inputs": [1, 2', "the body is not JSON: Expecting"),
    "not UTF-8": (b'{"inputs": ["\xff"]}', "not UTF-8: byte 0xff at position 13"),
    "NaN": (b'{"inputs": [NaN]}', "NaN, which is not JSON: write null"),
    "infinity": (b'{"inputs": [-Infinity]}', "-Infinity, which is not JSON"),
    "deep": (b"[" * 100_000, "nested too deeply"),
    "deep in a column": (b'{"inputs": ' + b"[" * 400 + b"]" * 400 + b"}", ""),
    "long number": (b'{"inputs": ' + b"9" * 100_000 + b"}", "too many digits"),
    "a list": (b"[1, 2]", "Received a list"),
    "a number": (b"7", "Received a number"),
    "no known key": (b'{"rows": []}', "exactly one of the input fields"),
    "two formats": (b'{"inputs": {}, "instances": []}', "exactly one of the input fields"),
    "records no list": (b'{"dataframe_records": {"a": 1}}', "must be a list of records"),
    "split without data": (b'{"dataframe_split": {"columns": ["a"]}}', "must have 'data' field"),
    "params no object": (b'{"inputs": {}, "params": [1]}', '"params" must be an object, received a list'),
    "missing column": (json.dumps({"dataframe_records": [LESS]}).encode(), "petal width (cm)"),
    "wrong type": (json.dumps({"dataframe_records": [{**ROW, "petal width (cm)": "wide"}]}).encode(), "wide"),
    "huge": (
        json.dumps({"dataframe_records": [{**ROW, "petal width (cm)": "HUGE"}]}).replace('"HUGE"', "1e400").encode(),
        "",
    ),
    "no rows": (b'{"dataframe_records": []}', ""),
    "nested cell": (json.dumps({"dataframe_records": [{**ROW, "petal width (cm)": {"a": [1]}}]}).encode(), ""),
}


@pytest.mark.parametrize(("body", "says"), BAD_JSON.values(), ids=BAD_JSON.keys())
def test_a_bad_json_body_is_refused_by_name(serve: Serve, body: bytes, says: str) -> None:
    answer = serve("iris").post("/invocations", data=body, content_type="application/json")
    assert answer.status_code == 400, answer.text
    assert set(answer.json) == {"error_code", "message", "request_id"}
    assert says in answer.json["message"]
    assert "Traceback" not in answer.text
    assert len(answer.text) < 2000


BAD_ROWS = {
    "a number": (b"7", "received a number"),
    "empty list": (b"[]", "received an empty list"),
    "scalars": (b"[1, 2]", "row 0 is a number"),
    "mixed": (b'[[1, 2, 3, 4], {"a": 1}]', "row 1 is an object"),
    "short row": (b"[[1, 2, 3, 4], [1, 2, 3]]", "row 1 has 3 values, expected 4: sepal length (cm), "),
    "wrong type": (b'[[1, 2, 3, "x"]]', "petal width (cm)"),
}


@pytest.mark.parametrize(("body", "says"), BAD_ROWS.values(), ids=BAD_ROWS.keys())
def test_bad_plain_rows_are_refused_by_number(serve: Serve, body: bytes, says: str) -> None:
    answer = serve("iris").post("/predict", data=body, content_type="application/json")
    assert answer.status_code == 400, answer.text
    assert answer.json["error"]["code"] == "BAD_REQUEST"
    assert says in answer.json["error"]["message"]


@pytest.mark.parametrize(
    ("headers", "says"),
    [
        ({}, "Content-Type is 'missing'"),
        ({"Content-Type": "text/xml"}, "'text/xml', expected application/json or text/csv"),
        ({"Content-Type": "application/json; charset=latin-1"}, "expected charset utf-8"),
        ({"Content-Type": "application/json; version=2"}, "unknown parameters: version"),
        ({"Content-Type": "application/json", "Content-Encoding": "gzip"}, "Content-Encoding is 'gzip'"),
    ],
)
def test_a_wrong_content_type_is_415(serve: Serve, headers: dict[str, str], says: str) -> None:
    answer = serve("iris").post("/invocations", data=b"{}", headers=headers)
    assert answer.status_code == 415, answer.text
    assert says in answer.json["message"]


def test_a_body_over_the_limit_is_413(serve: Serve) -> None:
    body = b'{"inputs": "' + b"x" * HTTP.body_bytes + b'"}'
    answer = serve("iris").post("/predict", data=body, content_type="application/json")
    assert answer.status_code == 413
    assert str(HTTP.body_bytes) in answer.json["error"]["message"]


def test_csv_that_is_none_is_refused(serve: Serve) -> None:
    client = serve("iris")
    for body in (b"", b"\xff", b"a,b\n1\n2,3,4", b"\0", b'"'):
        answer = client.post("/invocations", data=body, content_type="text/csv")
        assert answer.status_code == 400, (body, answer.text)


def test_an_unknown_model_path_or_method_says_what_there_is(serve: Serve) -> None:
    client = serve("iris")
    unknown = client.post("/predict/tulip", json=ROW)
    assert unknown.status_code == 404
    assert "no model 'tulip'" in unknown.json["error"]["message"]
    assert client.get("/nowhere").status_code == 404
    wrong = client.get("/invocations")
    assert (wrong.status_code, set(wrong.headers["Allow"].split(", "))) == (405, {"OPTIONS", "POST"})
    assert wrong.json["error_code"] == "BAD_REQUEST"


def test_unknown_params_are_refused_as_mlflow_does(serve: Serve) -> None:
    body = {"dataframe_records": [{"x": 1.0}], "params": {"factor": "many"}}
    answer = serve("scaled").post("/invocations", json=body)
    assert answer.status_code == 400
    assert "factor" in answer.json["message"]


def test_a_model_that_raises_is_500_with_a_request_id_and_no_trace(serve: Serve) -> None:
    answer = serve("scaled").post("/invocations", json={"inputs": {"x": [666.0]}}, headers={"X-Request-Id": "r-1"})
    assert answer.status_code == 500
    assert answer.json["request_id"] == "r-1"
    assert "ValueError" in answer.json["message"]
    assert "secret-cause" not in answer.text


def test_a_null_is_a_missing_value_for_the_model_to_take_or_to_refuse(serve: Serve) -> None:
    takes = serve("iris").post("/predict", json={**ROW, "petal width (cm)": None})
    assert (takes.status_code, takes.json["predictions"]) == (200, [1])
    refuses = serve("unsigned").post("/invocations", json={"inputs": [None]})
    assert refuses.status_code == 400, refuses.text


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=True) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=4), inner, max_size=4),
    max_leaves=12,
)
formats = st.sampled_from(["dataframe_split", "dataframe_records", "instances", "inputs", "params", "messages", "data"])
cells = st.dictionaries(st.sampled_from([*ROW, "x", "text", "extra"]), json_values, max_size=5)
tables = st.fixed_dictionaries({"columns": st.lists(st.sampled_from([*ROW, "x"])), "data": json_values})
structured = st.dictionaries(
    formats, json_values | cells | st.lists(cells, max_size=3) | tables, min_size=1, max_size=2
)
bodies = st.binary(max_size=200) | (structured | json_values).map(lambda value: json.dumps(value).encode())


@pytest.mark.parametrize("name", ["iris", "text", "unsigned", "scaled"])
def test_no_body_makes_a_server_error(serve: Serve, name: str) -> None:
    client = serve(name)

    @settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
    @given(bodies, st.sampled_from(["/invocations", "/predict"]), st.sampled_from(["application/json", "text/csv"]))
    def fuzz(body: bytes, path: str, content_type: str) -> None:
        answer = client.post(path, data=body, content_type=content_type)
        assert answer.status_code < 500, (body, answer.text)

    fuzz()

"""/predict: what people and forms send, what comes back, and what is refused by the name of its field."""

import json
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import mlflow.sklearn
import numpy
import pandas
import pytest
from flask.testing import FlaskClient
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from app.core import body, inputs

from .conftest import digest
from .zoo import MIXED_ROW

FORM = "application/x-www-form-urlencoded"
IRIS = {"sepal length (cm)": 5.1, "sepal width (cm)": 3.5, "petal length (cm)": 1.4, "petal width (cm)": 0.2}
MIXED_FORM = {**MIXED_ROW, "open": "on", "parts": "[1.0, 2.5]"}


def post_form(client: FlaskClient, model: str, fields: Any) -> Any:
    return client.post(f"/predict/{model}", data=urlencode(fields), content_type=FORM)


@pytest.mark.parametrize(
    "body",
    [IRIS, [IRIS], [list(IRIS.values())]],
    ids=["object", "list of objects", "list of lists"],
)
def test_one_row_in_any_shape_has_one_answer(zoo_client: FlaskClient, body: Any) -> None:
    answer = zoo_client.post("/predict", json=body).json
    assert (answer["predictions"], answer["classes"]) == ([0], [0, 1, 2])
    [row] = answer["probabilities"]
    assert (len(row), sum(row)) == (3, pytest.approx(1))


def test_a_form_is_the_row_that_it_says(zoo_client: FlaskClient) -> None:
    assert post_form(zoo_client, "iris", IRIS).json == zoo_client.post("/predict/iris", json=IRIS).json
    answer = post_form(zoo_client, "echo", MIXED_FORM)
    assert answer.status_code == 200, answer.text
    assert answer.json == zoo_client.post("/predict/echo", json=MIXED_ROW).json
    with_charset = f"{FORM}; charset=UTF-8"
    answer = zoo_client.post("/predict/text", data="text=good%20film", content_type=with_charset)
    assert answer.json["predictions"] == ["+"]


def test_an_empty_field_that_may_be_missing_is_missing(zoo_client: FlaskClient) -> None:
    answer = post_form(zoo_client, "echo", {**MIXED_FORM, "extra": ""})
    assert answer.status_code == 200, answer.text
    assert "extra" not in answer.json["predictions"][0]
    assert post_form(zoo_client, "echo", {**MIXED_FORM, "extra": "2.5"}).json["predictions"][0]["extra"] == 2.5


def test_a_model_with_type_hints_takes_rows(zoo_client: FlaskClient) -> None:
    assert zoo_client.post("/predict/hinted", json={"a": 1}).json == {"predictions": ["a=1"]}
    assert zoo_client.post("/predict/hinted", json=[{"b": 2}, {}]).json == {"predictions": ["b=2", ""]}


def test_a_regressor_and_a_dictionary_have_no_classes(zoo_client: FlaskClient) -> None:
    assert zoo_client.post("/predict/scaled", json={"x": 2}).json == {"predictions": [4.0]}
    assert set(zoo_client.post("/predict/facts", json={"x": 4}).json) == {"predictions"}


def test_what_json_cannot_hold_is_null(zoo_client: FlaskClient) -> None:
    answer = zoo_client.post("/predict/facts", json={"x": -1.0})
    assert answer.json["predictions"]["root"] == [None]
    assert "NaN" not in answer.text


BAD_FORMS = {
    "no field": ("iris", "", "the body is empty"),
    "no pairs": ("iris", "hello", "the body is not a form"),
    "not UTF-8": ("iris", "sepal=%ff", "the body is not a form"),
    "twice": ("text", "text=a&text=b", "the form has the field 'text' twice"),
    "unknown": ("text", "text=a&colour=red", "row 0 has the unknown field 'colour', expected text"),
    "missing": ("iris", "petal+width+%28cm%29=1", "row 0 lacks the field 'sepal length (cm)'"),
    "not a number": ("scaled", "x=tall", "the field 'x' is 'tall', expected a finite number"),
    "not finite": ("scaled", "x=1e999", "the field 'x' is '1e999', expected a finite number"),
    "empty": ("scaled", "x=", "the field 'x' is empty, expected a finite number"),
    "not whole": ("echo", urlencode({**MIXED_FORM, "count": "1.5"}), "'count' is '1.5', expected a whole number"),
    "not true": ("echo", urlencode({**MIXED_FORM, "open": "maybe"}), "'open' is 'maybe', expected true or false"),
    "no JSON": ("echo", urlencode({**MIXED_FORM, "parts": "1,2"}), "the field 'parts' is '1,2', expected JSON"),
    "no names": ("unsigned", "text=a", "a form needs a model whose signature names its columns"),
    "a tensor": ("halves", "x=1", "a form needs a model whose signature names its columns"),
}


@pytest.mark.parametrize(("model", "content", "says"), BAD_FORMS.values(), ids=BAD_FORMS)
def test_a_bad_form_is_refused_by_field(zoo_client: FlaskClient, model: str, content: str, says: str) -> None:
    answer = zoo_client.post(f"/predict/{model}", data=content, content_type=FORM)
    assert answer.status_code == 400, answer.text
    assert says in answer.json["error"]["message"]


BAD_ROWS = {
    "unknown": ([IRIS, {**IRIS, "id": 1}], "row 1 has the unknown field 'id', expected sepal length (cm), "),
    "missing": ([IRIS, {"sepal length (cm)": 1}], "row 1 lacks the field 'sepal width (cm)'"),
    "infinite": (b'{"sepal length (cm)": 1e999}', "the body holds 1e999, which is too large for a 64-bit number"),
    "infinite, written otherwise": (b"[[-10E+0308]]", "the body holds -10E+0308, which is too large"),
    "long and infinite": (b"[[" + b"9" * 4000 + b".0]]", "which is too large for a 64-bit number"),
    "twice": (b'{"a": 1, "a": 2}', "the body has the key 'a' twice in one object"),
}


@pytest.mark.parametrize(("content", "says"), BAD_ROWS.values(), ids=BAD_ROWS)
def test_bad_rows_are_refused_by_field(zoo_client: FlaskClient, content: Any, says: str) -> None:
    if isinstance(content, bytes):
        answer = zoo_client.post("/predict", data=content, content_type="application/json")
    else:
        answer = zoo_client.post("/predict", json=content)
    assert answer.status_code == 400, answer.text
    assert says in answer.json["error"]["message"]
    assert len(answer.text) < 2000


def test_too_many_rows_are_413_in_every_protocol(zoo_client: FlaskClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inputs, "ROWS_AT_MOST", 2)
    says = "the request has 3 rows, expected at most 2"
    mlflow = zoo_client.post("/models/scaled/invocations", json={"dataframe_records": [{"x": 1}] * 3})
    plain = zoo_client.post("/predict/scaled", json=[{"x": 1}] * 3)
    tensor = {"name": "x", "datatype": "FP64", "shape": [3], "data": [1, 2, 3]}
    v2 = zoo_client.post("/v2/models/scaled/infer", json={"inputs": [tensor]})
    assert [mlflow.status_code, plain.status_code, v2.status_code] == [413, 413, 413]
    assert says in mlflow.json["message"]
    assert says in plain.json["error"]["message"]
    assert says in v2.json["error"]


def test_a_body_of_nothing_but_brackets_is_413(zoo_client: FlaskClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(body, "STRUCTURES_AT_MOST", 10)
    answer = zoo_client.post("/predict", json=[[]] * 10)
    assert answer.status_code == 413
    assert "holds 11 lists and objects, at most 10" in answer.json["error"]["message"]


def test_ten_megabytes_of_digits_are_refused(zoo_client: FlaskClient) -> None:
    for digits in (b"9" * 10_000_000, b"0." + b"9" * 10_000_000, b"9" * 10_000_000 + b"e9"):
        content = b'{"inputs": [' + digits + b"]}"
        answer = zoo_client.post("/models/unsigned/invocations", data=content, content_type="application/json")
        assert answer.status_code == 400, answer.text[:200]


TENSORS = st.fixed_dictionaries(
    {
        "name": st.sampled_from(["x", "text", "a", "b", "count", "0"]),
        "shape": st.lists(st.integers(-1, 4) | st.none() | st.just(2**70), max_size=3),
        "datatype": st.sampled_from(["FP64", "FP32", "FP16", "INT64", "UINT8", "BOOL", "BYTES", "FP8", None]),
    },
    optional={
        "data": st.recursive(
            st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=4),
            lambda inner: st.lists(inner, max_size=4),
        ),
        "parameters": st.none() | st.dictionaries(st.sampled_from(["binary_data_size", "content_type"]), st.integers()),
    },
)
REQUESTS = st.fixed_dictionaries(
    {"inputs": st.lists(TENSORS, max_size=3)},
    optional={
        "id": st.text(max_size=3) | st.integers(),
        "parameters": st.dictionaries(st.sampled_from(["binary_data_output", "factor"]), st.integers() | st.booleans()),
        "outputs": st.lists(
            st.fixed_dictionaries({"name": st.sampled_from(["predictions", "classes", "y"])}), max_size=2
        ),
    },
)


@pytest.mark.parametrize("model", ["iris", "text", "unsigned", "scaled", "halves", "joined", "echo"])
def test_no_tensors_make_a_server_error(zoo_client: FlaskClient, model: str) -> None:
    @settings(max_examples=80, deadline=None, suppress_health_check=list(HealthCheck))
    @given(REQUESTS, st.none() | st.integers(0, 300), st.binary(max_size=40))
    def fuzz(request: Any, header: int | None, tail: bytes) -> None:
        headers = {} if header is None else {"Inference-Header-Content-Length": str(header)}
        content = json.dumps(request).encode()
        answer = zoo_client.post(f"/v2/models/{model}/infer", data=content + (tail if header else b""), headers=headers)
        assert answer.status_code < 500, (request, answer.text)
        assert answer.status_code == 200 or set(answer.json) == {"error"}

    fuzz()


@pytest.mark.parametrize("model", ["iris", "text", "echo"])
def test_no_form_makes_a_server_error(zoo_client: FlaskClient, model: str) -> None:
    names = st.sampled_from([*IRIS, *MIXED_ROW, "text", "extra", "other"])
    pairs = st.lists(st.tuples(names, st.text(max_size=6) | st.sampled_from(["1", "nan", "[1]", "true"])), max_size=10)

    @settings(max_examples=80, deadline=None, suppress_health_check=list(HealthCheck))
    @given(pairs.map(lambda found: urlencode(found, errors="replace").encode()) | st.binary(max_size=60))
    def fuzz(content: bytes) -> None:
        answer = zoo_client.post(f"/predict/{model}", data=content, content_type=FORM)
        assert answer.status_code < 500, (content, answer.text)

    fuzz()


def test_probabilities_are_the_models_own(zoo_client: FlaskClient, models: Path) -> None:
    estimator = mlflow.sklearn.load_model(str(models / digest("iris")))
    expected = estimator.predict_proba(pandas.DataFrame([IRIS]))
    assert numpy.array_equal(zoo_client.post("/predict", json=IRIS).json["probabilities"], expected)

"""A plain request of the Open Inference Protocol is answered without Flask, and as Flask answers it."""

import json
from collections.abc import Callable
from typing import Any

import pandas
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from mlflow.models import Model as Metadata
from mlflow.models.signature import ModelSignature
from mlflow.models.utils import _enforce_schema
from mlflow.types import ColSpec, Schema

from app.core import openinference_plain, openinference_request
from app.core.errors import ServingError
from app.core.openinference_input import to_input
from app.core.openinference_tensor import DATATYPES
from app.core.plain import Layout, Table

from .loop_server import LoopServer, garbage_of

KINDS = ("double", "float", "long", "integer", "boolean", "string")
OWN = {"double": "FP64", "float": "FP32", "long": "INT64", "integer": "INT32", "boolean": "BOOL", "string": "BYTES"}
texts = st.text(alphabet='ab:"\\ü\u2028', max_size=3)
floats = st.floats(-(2**50), 2**50, width=32) | st.integers(-(2**40), 2**40) | st.sampled_from([0.1, -0.0, 1e-320])
whole = st.integers(-100, 100) | st.sampled_from([2**31 - 1, -(2**31), 2**53, 2**62])
odd = st.sampled_from([None, 2**53, 2**64, 1e300, 0.5, True, "a:b", [1]])


def values(datatype: str, usual: bool) -> Any:
    found = {"b": st.booleans(), "f": floats, "O": texts}.get(DATATYPES[datatype].kind, whole)
    return found if usual else st.one_of(*[found] * 12, odd)


@st.composite
def tensor(draw: Any, name: str, datatype: str, rows: int, width: int | None, usual: bool) -> dict[str, Any]:
    """`width`: of a matrix; None for a column, whose shape has one dimension or two."""
    flat = draw(st.lists(values(datatype, usual), min_size=rows * (width or 1), max_size=rows * (width or 1)))
    shape = [rows, width] if width else draw(st.sampled_from([[rows], [rows], [rows, 1]]))
    if len(shape) == 2 and draw(st.booleans()):
        size = shape[1]
        flat = [flat[number * size : (number + 1) * size] for number in range(rows)]
    return {"name": name, "datatype": datatype, "shape": shape, "data": flat}


@st.composite
def requests(draw: Any, kinds: dict[str, str]) -> dict[str, Any]:
    """One matrix or a tensor for each column; half of them with nothing that is unusual."""
    usual = draw(st.booleans())
    rows = draw(st.integers(1 if usual else 0, 3))
    datatypes = {OWN[kind] for kind in kinds.values()}
    if draw(st.booleans()) and (not usual or len(datatypes) == 1):
        datatype = draw(st.sampled_from(sorted(datatypes if usual else DATATYPES)))
        return {"inputs": [draw(tensor(draw(st.sampled_from(["all", *kinds])), datatype, rows, len(kinds), usual))]}
    inputs = []
    for name in draw(st.permutations(list(kinds))):
        others = [] if usual else ["FP32", "INT32", "UINT8"]
        datatype = draw(st.sampled_from([OWN[kinds[name]]] * 9 + others))
        inputs.append(draw(tensor(name, datatype, rows, None, usual)))
    if not usual and draw(st.integers(0, 11)) == 0:
        inputs.pop()
    return {"inputs": inputs}


@st.composite
def cases(draw: Any) -> tuple[Schema, bytes]:
    alike = draw(st.booleans())
    count = draw(st.integers(1, 4))
    drawn = [draw(st.sampled_from(KINDS))] * count if alike else draw(st.lists(st.sampled_from(KINDS), min_size=1))
    kinds = {f"x{number}": kind for number, kind in enumerate(drawn)}
    required = draw(st.integers(0, 9)) > 0
    schema = Schema([ColSpec(kind, name, required=required) for name, kind in kinds.items()])
    body = {**draw(st.sampled_from([{}, {"id": "a:b"}])), **draw(requests(kinds))}
    return schema, json.dumps(body, ensure_ascii=draw(st.booleans())).encode()


def _short(body: bytes, schema: Schema) -> Table | None:
    layout = Layout.of(Metadata(signature=ModelSignature(inputs=schema)))
    assert layout is not None
    return openinference_plain.infer(body, layout)


def test_the_frame_of_a_plain_request_is_the_one_that_mlflow_makes() -> None:
    taken: list[bool] = []

    @settings(max_examples=300, deadline=None, suppress_health_check=list(HealthCheck))
    @given(case=cases())
    def compare(case: tuple[Schema, bytes]) -> None:
        schema, body = case
        table = _short(body, schema)
        taken.append(table is not None)
        if table is None:
            return
        try:
            asked = openinference_request.parse(body, None)
            expected = to_input(asked, Metadata(signature=ModelSignature(inputs=schema))).data
            expected = _enforce_schema(expected, schema)
        except (ServingError, Exception) as error:  # taken by the one, it must be taken by the other
            raise AssertionError(f"{body!r} is refused on the long path: {error}") from error
        pandas.testing.assert_frame_equal(table.frame(), expected, check_exact=True)
        assert table.asked is not None
        assert (table.asked.id, table.asked.outputs) == (asked.id, asked.outputs)

    compare()
    assert sum(taken) > len(taken) / 8, "many of them are plain"


COLUMNS = Schema([ColSpec("double", "a"), ColSpec("double", "b")])
A, B = ({"name": name, "datatype": "FP64", "shape": [1], "data": [1.5]} for name in "ab")


@pytest.mark.parametrize(
    "request_",
    [
        {"inputs": [A, B]},
        {"inputs": [B, A], "id": "mine", "outputs": [{"name": "predictions"}]},
        {"inputs": [{**A, "datatype": "FP32"}, {**B, "datatype": "INT32", "data": [7]}]},
        {"inputs": [{"name": "m", "datatype": "FP64", "shape": [1, 2], "data": [1, 2]}]},
        {"inputs": [{"name": "m", "datatype": "INT64", "shape": [2, 2], "data": [[1, 2], [3, 4]]}]},
        {"inputs": [A, B], "outputs": [{"name": "p", "parameters": {"binary_data": False}}], "parameters": {}},
        {"inputs": [A, B], "unknown": 1},
    ],
)
def test_tensors_of_the_columns_own_numbers_are_plain(request_: Any) -> None:
    assert _short(json.dumps(request_).encode(), COLUMNS) is not None


@pytest.mark.parametrize(
    "request_",
    [
        {"inputs": [A]},
        {"inputs": [A, A]},
        {"inputs": [A, {**B, "shape": [2]}]},
        {"inputs": [A, {**B, "data": [None]}]},
        {"inputs": [A, {**B, "datatype": "INT64", "data": [7]}]},
        {"inputs": [A, {**B, "datatype": "BYTES", "data": ["7"]}]},
        {"inputs": [A, {**B, "parameters": {"binary_data_size": 8}}]},
        {"inputs": [A, {**B, "parameters": {"content_type": "np"}}]},
        {"inputs": [A, B], "parameters": {"a": 1}},
        {"inputs": [A, B], "parameters": {"binary_data_output": True}},
        {"inputs": [A, B], "outputs": [{"name": "p", "parameters": {"binary_data": True}}]},
        {"inputs": [A, B], "outputs": "predictions"},
        {"inputs": [{**A, "shape": [0], "data": []}, {**B, "shape": [0], "data": []}]},
        {"inputs": []},
        {"inputs": [A, B], "id": 7},
        [A, B],
        None,
    ],
)
def test_whatever_needs_a_second_look_is_not_plain(request_: Any) -> None:
    assert _short(json.dumps(request_).encode(), COLUMNS) is None


@pytest.mark.parametrize(
    "body",
    [
        b'{"inputs": [], "inputs": [%s]}',
        b'{"inputs": [%s], "id": "a", "id": "b"}',
        b'{"inputs": [%s], "id": "\\u003a", "id": "b"}',
        b'{"inputs": [%s], "outputs": [{"name": "p", "name": "p"}]}',
        b'{"inputs": [%s], "more": {"a": 1}}',
        b'{"inputs": [%s]} {}',
        b'{"inputs": [%s], "id": NaN}',
        b"\xff%s",
    ],
)
def test_a_body_that_readers_may_read_differently_is_not_plain(body: bytes) -> None:
    tensors = json.dumps([A, B])[1:-1].encode()
    assert _short(body % tensors, COLUMNS) is None


def test_so_many_lists_that_the_long_path_refuses_them_are_not_plain() -> None:
    names = [f"x{number}" for number in range(11)]
    column = {"datatype": "FP64", "shape": [100_000, 1], "data": [[0]] * 100_000}
    body = json.dumps({"inputs": [{"name": name, **column} for name in names]})
    assert _short(body.encode(), Schema([ColSpec("double", name) for name in names])) is None


IRIS = ("sepal length (cm)", "sepal width (cm)", "petal length (cm)", "petal width (cm)")
TARGETS = st.sampled_from(
    ["/v2/models/iris/infer"] * 3 + ["/v2/models/iris/versions/3/infer", "/v2/models/iris/versions/4/infer"]
)
JSON = {"Content-Type": "application/json"}
HEADERS = st.sampled_from(
    [JSON, JSON, {}, {"Content-Type": "text/csv"}, {**JSON, "Inference-Header-Content-Length": "9"}]
)
OUTPUTS = st.lists(
    st.sampled_from(["predictions", "predictions", "probabilities", "classes", "none"]).map(
        lambda name: {"name": name}
    ),
    max_size=3,
)


def test_every_answer_of_the_loop_is_the_answer_of_flask(loop: Callable[..., LoopServer]) -> None:
    server = loop("iris")

    @settings(max_examples=200, deadline=None, suppress_health_check=list(HealthCheck))
    @given(
        body=requests(dict.fromkeys(IRIS, "double")),
        target=TARGETS,
        headers=HEADERS,
        more=st.fixed_dictionaries({}, optional={"outputs": OUTPUTS, "id": texts | st.none()}),
    )
    def ask(body: Any, target: str, headers: dict[str, str], more: Any) -> None:
        content, headers = json.dumps({**body, **more}).encode(), {**headers, "X-Request-Id": "mine-1"}
        assert server.by_loop(target, content, headers) == server.by_flask(target, content, headers)

    ask()
    assert sum(server.taken) > len(server.taken) / 20, "the short path was taken"
    assert not all(server.taken), "and not always"


def matrix(datatype: str, *rows: list[Any]) -> dict[str, Any]:
    return {"name": "rows", "datatype": datatype, "shape": [len(rows), len(rows[0])], "data": list(rows)}


def test_texts_numbers_classes_and_models_of_foreign_code_are_answered_alike_on_both_paths(
    loop: Callable[..., LoopServer],
) -> None:
    server = loop("text", "scaled", "diabetes", "iris", "boosted")
    rows = [[5.1, 3.5, 1.4, 0.2], [6.0, 2.5, 4.5, 1.5]]
    wanted = [{"name": "classes"}, {"name": "predictions"}, {"name": "probabilities"}]
    text = {"name": "text", "datatype": "BYTES", "shape": [2], "data": ["good: film", "ünfun \\ bad"]}
    asked = [
        ("text", {"inputs": [text]}),
        ("text", {"inputs": [{**text, "shape": [2, 1]}], "outputs": wanted[1:2]}),
        ("diabetes", {"inputs": [matrix("FP64", [0.01] * 10)]}),
        ("diabetes", {"inputs": [matrix("FP32", [0.1] * 10)], "outputs": wanted[1:2]}),
        ("diabetes", {"inputs": [matrix("FP64", [0.01] * 10)], "outputs": wanted}),
        ("iris", {"inputs": [matrix("FP32", *rows)], "outputs": wanted, "id": "a"}),
        ("boosted", {"inputs": [matrix("FP64", *rows)], "outputs": wanted}),
        ("text", {"inputs": [text], "outputs": wanted}),
    ]
    for name, body in asked:
        content = json.dumps(body).encode()
        target, headers = f"/v2/models/{name}/infer", {**JSON, "X-Request-Id": "r-1"}
        assert server.by_loop(target, content, headers) == server.by_flask(target, content, headers), body
    assert server.taken == [True] * 7 + [False], "probabilities of a model that is not batched are the long path's"


def test_what_a_model_of_foreign_code_raises_is_answered_alike(loop: Callable[..., LoopServer]) -> None:
    server = loop("scaled")
    headers = {**JSON, "X-Request-Id": "r-1"}
    for value, status in ((2.5, 200), (666.0, 500)):
        content = json.dumps({"inputs": [{"name": "x", "datatype": "FP64", "shape": [1], "data": [value]}]}).encode()
        by_loop = server.by_loop("/v2/models/scaled/infer", content, headers)
        assert by_loop == server.by_flask("/v2/models/scaled/infer", content, headers)
        assert by_loop[0] == status
    assert server.taken == [True, True]


def test_it_leaves_nothing_for_the_garbage_collector(loop: Callable[..., LoopServer]) -> None:
    server = loop("iris")
    content = json.dumps({"inputs": [matrix("FP64", [5.1, 3.5, 1.4, 0.2])], "outputs": [{"name": "classes"}]}).encode()
    found = garbage_of(lambda: server.by_loop("/v2/models/iris/infer", content, JSON), times=5)
    assert server.taken == [True] * 5
    assert len(found) == 0

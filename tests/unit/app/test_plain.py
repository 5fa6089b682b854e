"""The short path of a plain prediction cannot be told from the long one: same frame, same answer, same headers."""

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

from app.core import inputs, plain
from app.core import rows as predict_rows
from app.core.errors import ServingError
from app.core.plain import Layout, Table
from tests.waiting import until

from .loop_server import LoopServer, garbage_of

COLUMNS = {"a": "double", "b": "float", "c": "long", "d": "integer", "e": "boolean", "f": "string"}
numbers = st.sampled_from([0, -0.0, 1, 2.5, -3, 2**31, 2**53, 2**53 + 1, 2**64, 10**30, 1e300, 0.1])
wrong = st.sampled_from([None, "", "1", "a:b", True, False, [1], {"a": 1}])
texts = st.text(alphabet='ab:"\\ü\u2028\n', max_size=4)
VALUES = {
    "double": numbers | wrong,
    "float": numbers | wrong,
    "long": numbers | wrong,
    "integer": numbers | wrong,
    "boolean": st.booleans() | wrong,
    "string": texts | wrong | numbers,
}
RIGHT = {
    "double": st.floats(-(2**50), 2**50, width=32) | st.integers(-(2**40), 2**40),
    "float": st.floats(-(2**50), 2**50, width=32) | st.integers(-(2**40), 2**40),
    "long": st.integers(-(2**40), 2**40),
    "integer": st.integers(-(2**31) + 1, 2**31 - 1),
    "boolean": st.booleans(),
    "string": texts,
}
schemas = st.permutations(sorted(COLUMNS)).flatmap(lambda names: st.integers(1, 6).map(lambda count: names[:count]))
uniform = st.sampled_from(sorted(COLUMNS)).map(lambda name: [name])


@st.composite
def cases(draw: Any) -> tuple[Schema, str, bytes]:
    """A signature, a path, and a body for it that is plain more often than not."""
    if draw(st.booleans()):
        names = draw(schemas)
        kinds = [COLUMNS[name] for name in names]
    else:
        kinds = [draw(st.sampled_from(sorted(VALUES)))] * draw(st.integers(1, 4))
        names = [f"x{number}" for number in range(len(kinds))]
    values = draw(st.sampled_from([RIGHT, RIGHT, VALUES]))
    order = draw(st.permutations(names))
    types = dict(zip(names, kinds, strict=True))
    rows = draw(st.lists(st.fixed_dictionaries({name: values[types[name]] for name in order}), min_size=1, max_size=3))
    if draw(st.integers(0, 9)) == 0:
        rows[-1].pop(order[0])
    lists = [[row.get(name) for name in (names if draw(st.booleans()) else order)] for row in rows]
    found: tuple[str, Any] = draw(
        st.sampled_from(
            [
                ("/invocations", {"dataframe_records": rows}),
                ("/invocations", {"dataframe_split": {"columns": order, "data": lists}}),
                ("/invocations", {"dataframe_split": {"data": lists, "columns": names}}),
                ("/predict", rows),
                ("/predict", rows[0]),
                ("/predict", lists),
            ]
        )
    )
    path, body = found
    text = json.dumps(body, ensure_ascii=draw(st.booleans()))
    schema = Schema([ColSpec(kind, name) for name, kind in types.items()])
    return schema, path, text.encode()


def _slow(path: str, body: bytes, metadata: Metadata) -> pandas.DataFrame:
    parse = inputs.invocation if path == "/invocations" else predict_rows.rows
    return _enforce_schema(parse(body, "application/json", metadata).data, metadata.get_input_schema())


def _short(path: str, body: bytes, metadata: Metadata) -> Table | None:
    layout = Layout.of(metadata)
    assert layout is not None
    return (plain.invocation if path == "/invocations" else plain.rows)(body, layout)


@settings(max_examples=600, deadline=None)
@given(case=cases())
def test_the_frame_of_a_plain_body_is_the_one_that_mlflow_makes(case: tuple[Schema, str, bytes]) -> None:
    schema, path, body = case
    metadata = Metadata(signature=ModelSignature(inputs=schema))
    table = _short(path, body, metadata)
    if table is None:
        return
    try:
        expected = _slow(path, body, metadata)
    except (ServingError, Exception) as error:  # taken by the one, it must be taken by the other
        raise AssertionError(f"{body!r} is refused by MLflow: {error}") from error
    pandas.testing.assert_frame_equal(table.frame(), expected, check_exact=True)
    assert table.rows == len(expected)


@settings(max_examples=200, deadline=None)
@given(data=st.data(), names=schemas)
def test_what_fits_its_columns_is_plain(data: st.DataObject, names: list[str]) -> None:
    row = data.draw(st.fixed_dictionaries({name: RIGHT[COLUMNS[name]] for name in names}))
    metadata = Metadata(signature=ModelSignature(inputs=Schema([ColSpec(COLUMNS[name], name) for name in names])))
    body = json.dumps({"dataframe_records": [row]}, ensure_ascii=False).encode()
    assert _short("/invocations", body, metadata) is not None


@pytest.mark.parametrize(
    "body",
    [
        b'{"dataframe_records": [{"a": 1}], "params": {}}',
        b'{"dataframe_records": [{"a": 1, "a": 2}]}',
        b'{"dataframe_records": [{"a": 1, "b": 2}]}',
        b'{"dataframe_records": [{"a": null}]}',
        b'{"dataframe_records": [{"a": "1"}]}',
        b'{"dataframe_records": [{"a": true}]}',
        b'{"dataframe_records": [{"a": 18446744073709551616}]}',
        b'{"dataframe_records": [{"a": NaN}]}',
        b'{"dataframe_records": []}',
        b'{"dataframe_records": [[1]]}',
        b'{"dataframe_records": {"a": 1}}',
        b'{"dataframe_split": {"columns": ["a"], "data": [[1]], "index": [7]}}',
        b'{"dataframe_split": {"columns": ["a", "a"], "data": [[1, 2]]}}',
        b'{"dataframe_split": {"data": [[1]]}}',
        b'{"dataframe_split": {"columns": ["a"], "data": [1]}}',
        b'{"dataframe_split": {"columns": [["a"]], "data": [[1]]}}',
        b'{"inputs": {"a": [1]}}',
        b'{"instances": [{"a": 1}]}',
        b"[]",
        b"",
        b"\xff",
        b'{"dataframe_records": [{"a": 1}]} {}',
        b"[" * 100_000,
    ],
)
def test_whatever_needs_a_second_look_falls_through(body: bytes) -> None:
    metadata = Metadata(signature=ModelSignature(inputs=Schema([ColSpec("double", "a")])))
    assert _short("/invocations", body, metadata) is None


@pytest.mark.parametrize(
    "schema",
    [
        None,
        Schema([ColSpec("double")]),
        Schema([ColSpec("datetime", "a")]),
        Schema([ColSpec("binary", "a")]),
    ],
)
def test_signatures_of_other_kinds_have_no_short_path(schema: Schema | None) -> None:
    assert Layout.of(Metadata(signature=ModelSignature(inputs=schema) if schema else None)) is None


IRIS = ["sepal length (cm)", "sepal width (cm)", "petal length (cm)", "petal width (cm)"]
odd = st.sampled_from([None, "x", 1e40, 2**70, True])
cells = st.floats(0, 10, allow_nan=False, width=32) | st.integers(0, 8) | odd
records = st.lists(st.fixed_dictionaries(dict.fromkeys(IRIS, cells)), min_size=1, max_size=3)
bodies = st.one_of(
    records.map(lambda rows: {"dataframe_records": rows}),
    records.map(lambda rows: {"dataframe_split": {"columns": IRIS, "data": [[*row.values()] for row in rows]}}),
    records,
    records.map(lambda rows: rows[0]),
    records.map(lambda rows: [[*row.values()] for row in rows]),
    st.sampled_from([{"inputs": {}}, {}, [], 7, None, {"dataframe_records": []}]),
)
paths = st.sampled_from(["/invocations", "/predict", "/models/iris/invocations", "/predict/iris"])
types = st.sampled_from(["application/json"] * 6 + ["application/json; charset=UTF-8", "text/csv", "a/b"])


def test_every_answer_of_the_loop_is_the_answer_of_flask(loop: Callable[..., LoopServer]) -> None:
    server = loop("iris")

    @settings(max_examples=250, deadline=None, suppress_health_check=list(HealthCheck))
    @given(body=bodies, path=paths, kind=types, request_id=st.sampled_from(["mine-1", "a:b@c"]))
    def ask(body: Any, path: str, kind: str, request_id: str) -> None:
        headers = {"Content-Type": kind, "X-Request-Id": request_id}
        content = json.dumps(body).encode()
        assert server.by_loop(path, content, headers) == server.by_flask(path, content, headers)

    ask()
    assert any(server.taken), "the short path was taken"
    assert not all(server.taken), "and not always"


def test_a_text_pipeline_and_a_model_of_foreign_code_answer_alike_on_both_paths(
    loop: Callable[..., LoopServer],
) -> None:
    server = loop("text", "scaled", default="text")
    headers = {"Content-Type": "application/json", "X-Request-Id": "r-1"}
    for path, body in (
        ("/invocations", {"dataframe_records": [{"text": "good: film"}, {"text": "ünfun \\ bad"}]}),
        ("/models/scaled/invocations", {"dataframe_records": [{"x": 2}]}),
        ("/models/scaled/invocations", {"dataframe_records": [{"x": 666}]}),
        ("/predict/scaled", [[1.5], [2]]),
    ):
        content = json.dumps(body).encode()
        by_loop, by_flask = server.by_loop(path, content, headers), server.by_flask(path, content, headers)
        assert by_loop == by_flask
    assert server.taken == [True] * 4


def test_a_classifiers_labels_and_probabilities_need_no_flask(loop: Callable[..., LoopServer]) -> None:
    server = loop("iris")
    headers = {"Content-Type": "application/json", "X-Request-Id": "r-1"}
    rows = [[5.1, 3.5, 1.4, 0.2], [6.0, 2.5, 4.5, 1.5]]
    record = dict(zip(IRIS, rows[0], strict=True))
    for path, body in (("/predict", rows), ("/predict", record), ("/predict/iris", rows[:1])):
        content = json.dumps(body).encode()
        by_loop, by_flask = server.by_loop(path, content, headers), server.by_flask(path, content, headers)
        assert by_loop == by_flask
        assert {"predictions", "classes", "probabilities"} == json.loads(by_loop[1]).keys()
    assert server.taken == [True] * 3


def test_a_prediction_leaves_nothing_for_the_garbage_collector(loop: Callable[..., LoopServer]) -> None:
    server = loop("iris")
    content = json.dumps([[5.1, 3.5, 1.4, 0.2]]).encode()
    headers = {"Content-Type": "application/json"}
    found = garbage_of(lambda: server.by_loop("/predict", content, headers), times=5)
    assert server.taken == [True] * 5
    assert len(found) == 0


def test_both_paths_write_the_same_line_in_the_log(
    loop: Callable[..., LoopServer], caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    lines: list[dict[str, Any]] = []
    monkeypatch.setattr("app.loop.journal.write", lambda written: lines.extend(map(json.loads, written)))
    server = loop("diabetes")
    headers = {"Content-Type": "application/json", "X-Request-Id": "r-1"}
    row = dict.fromkeys(("age", "sex", "bmi", "bp", "s1", "s2", "s3", "s4", "s5", "s6"), 0.0)
    content = json.dumps(row).encode()
    with caplog.at_level("INFO", "app.access"):
        server.by_loop("/predict", content, headers)
        server.by_flask("/predict", content, headers)
    assert server.taken == [True]
    [theirs] = [vars(record) for record in caplog.records if record.name == "app.access"]
    until(lambda: lines, "the loop wrote its line")
    [ours] = lines
    own = {"time", "level", "logger", "message", "pid"}
    timings = {"total_ms", "parse_ms", "queue_ms", "predict_ms"}
    for name in ours.keys() - own - timings:
        assert ours[name] == theirs[name], name
    assert timings <= ours.keys()
    assert timings <= theirs.keys()

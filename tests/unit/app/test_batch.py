"""An answer never depends on what it was batched with, and one bad request never fails another."""

import json
from pathlib import Path
from typing import Any

import mlflow.sklearn
import numpy
import pandas
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from mlflow.models.signature import ModelSignature, infer_signature
from mlflow.types import ColSpec, Schema
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import RandomForestRegressor
from sklearn.impute import SimpleImputer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, OneHotEncoder

from app.core import batch, inputs, plain
from app.core.batch import Call, Timings
from app.core.compiled import Compiled
from app.core.deployment import Expected, ModelVersion
from app.core.errors import ServingError
from app.core.lane import Lane, open_lane
from app.core.model import LoadedModel, answer, load, render
from app.core.pace import Pace
from app.core.scorer import Native

from .conftest import digest

COLUMNS = {"amount": "double", "count": "long", "small": "integer", "is_new": "boolean", "kind": "string"}
FRAME = pandas.DataFrame(
    {
        "amount": [1.5, 2.0, 3.25, 4.0],
        "count": numpy.array([1, 2, 3, 4], dtype="int64"),
        "small": numpy.array([1, 2, 3, 4], dtype="int32"),
        "is_new": [True, False, True, False],
        "kind": ["red", "blue", "red", "green"],
        "extra": [0.5, 1.0, 2.0, 2.5],
    }
)
SIGNATURE = ModelSignature(
    inputs=Schema(
        [*(ColSpec(kind, name) for name, kind in COLUMNS.items()), ColSpec("double", "extra", required=False)]
    )
)


def _fast() -> Pace:
    """Of a model that may have any batch."""
    pace = Pace()
    pace.saw(1000, 0.001)
    return pace


def _loaded(folder: Path, name: str, example: Any) -> LoadedModel:
    version = ModelVersion(
        name=name,
        version="1",
        run_id=None,
        source=None,
        digest=folder.name,
        default=True,
        expected=Expected(input=example, output=None, tolerance=1e-6),
    )
    return load(version, folder.parent)


def _run(work: Any) -> Any:
    return work()


def _clock(_: Lane, __: int, work: Any) -> Any:
    return work()


@pytest.fixture(scope="module")
def mixed(tmp_path_factory: pytest.TempPathFactory) -> Lane:
    """A pipeline over columns of every plain type and an optional one."""
    columns = [
        ("kind", OneHotEncoder(handle_unknown="ignore"), ["kind"]),
        ("numbers", SimpleImputer(), ["amount", "count", "small"]),
        ("rest", "passthrough", ["is_new", "extra"]),
    ]
    model = make_pipeline(ColumnTransformer(columns), RandomForestRegressor(5, random_state=0))
    folder = tmp_path_factory.mktemp("mixed") / "model"
    model.fit(FRAME, [1.0, 2.0, 3.0, 4.0])
    mlflow.sklearn.save_model(
        model, folder, signature=SIGNATURE, pip_requirements=[], serialization_format="cloudpickle"
    )
    lane = open_lane(_loaded(folder, "mixed", {"dataframe_records": FRAME.to_dict("records")}), _run)
    assert lane.row_wise
    return lane


rows = st.fixed_dictionaries(
    {
        "amount": st.sampled_from([1.0, 2, 2.5, None, "many", 1e300]),
        "count": st.sampled_from([1, 2, 3, 3.0, 2.5, None, True]),
        "small": st.sampled_from([1, 4, 2**40, None]),
        "is_new": st.sampled_from([True, False, 1, None]),
        "kind": st.sampled_from(["red", "blue", "violet", "", "ü", 5, None]),
    },
    optional={"extra": st.sampled_from([0.5, 1, None]), "more": st.just(1)},
)
good = st.fixed_dictionaries(
    {
        "amount": st.sampled_from([1.0, 2, 2.5]),
        "count": st.integers(0, 5),
        "small": st.integers(0, 5),
        "is_new": st.booleans(),
        "kind": st.sampled_from(["red", "blue", "violet"]),
        "extra": st.sampled_from([0.5, 1]),
    }
)
requests = st.lists(good | rows, min_size=1, max_size=3).flatmap(
    lambda records: st.permutations(sorted(records[0])).map(
        lambda names: [{name: record[name] for name in names if name in record} for record in records]
    )
)


def _outcome(work: Any) -> tuple[str, Any]:
    try:
        return "answer", json.loads(work())
    except ServingError as error:
        return type(error).__name__, error.message


def _alone(lane: Lane, body: Any) -> tuple[str, Any]:
    """As MLflow answers it, with nothing of ours in between."""
    return _outcome(lambda: json.dumps(answer(lane.model.pyfunc, body)))


def _call(lane: Lane, body: Any) -> Call | ServingError:
    """As a request comes in: by the short path if it is plain, else by MLflow's parser."""
    table = plain.invocation(json.dumps(body).encode(), lane.layout) if lane.layout else None
    try:
        parsed = table or inputs.from_json(body, lane.model.pyfunc.metadata)
    except ServingError as error:
        return error
    return Call(lane, parsed, Timings(), lambda _: None, parsed.rows)


def _together(lane: Lane, bodies: list[Any]) -> list[tuple[str, Any]]:
    calls = [_call(lane, body) for body in bodies]
    waiting = [call for call in calls if isinstance(call, Call)]
    while waiting:
        batch.score(batch.take(waiting), _clock)
    return [_outcome(lambda call=call: _rendered(call)) for call in calls]


def _rendered(call: Call | ServingError) -> str:
    if isinstance(call, ServingError):
        raise call
    return render(call.answer(), inputs.Input(None, None))


@settings(max_examples=120, deadline=None, suppress_health_check=list(HealthCheck))
@given(bodies=st.lists(requests, min_size=1, max_size=6))
def test_requests_scored_together_get_the_answers_that_each_gets_alone(mixed: Lane, bodies: list[Any]) -> None:
    mixed.pace = _fast()
    given = [{"dataframe_records": records} for records in bodies]
    assert _together(mixed, given) == [_alone(mixed, body) for body in given]


def test_a_bad_row_costs_its_neighbours_nothing_but_predicts(mixed: Lane) -> None:
    mixed.pace = _fast()
    fine = {"dataframe_records": FRAME.head(1).to_dict("records")}
    refused = {"dataframe_records": [{**FRAME.to_dict("records")[0], "amount": 1e300}]}  # too large for a forest
    expected = _alone(mixed, fine)
    outcomes = _together(mixed, [fine] * 7 + [refused] + [fine] * 8)
    assert [outcome for number, outcome in enumerate(outcomes) if number != 7] == [expected] * 15
    assert outcomes[7][0] == "BadInputError"


def test_what_is_alike_is_one_predict(mixed: Lane) -> None:
    mixed.pace = _fast()
    predicts = []
    bodies = [{"dataframe_records": FRAME.iloc[[number % 4]].to_dict("records")} for number in range(8)]
    split = {"columns": [*reversed(FRAME.columns)], "data": FRAME.iloc[:, ::-1].to_numpy().tolist()}
    csv = inputs.invocation(FRAME.to_csv(index=False).encode(), "text/csv", mixed.model.pyfunc.metadata)
    calls = [_call(mixed, body) for body in bodies]
    waiting = [call for call in calls if isinstance(call, Call)]
    waiting += [Call(mixed, csv, Timings(), lambda _: None, 4)]
    third = _call(mixed, {"dataframe_split": split})
    assert isinstance(third, Call)
    taken = batch.take([*waiting, third])

    def clock(_: Lane, count: int, work: Any) -> Any:
        predicts.append(count)
        return work()

    batch.score(taken, clock)
    assert predicts == [12], "another order of columns makes the same frame; text out of CSV has another type"
    assert all(call.error is None for call in taken)


def test_calls_with_params_and_work_of_other_kinds_stay_alone(mixed: Lane) -> None:
    mixed.pace = _fast()
    parsed = inputs.from_json({"dataframe_records": FRAME.to_dict("records")}, mixed.model.pyfunc.metadata)
    with_params = inputs.Input(parsed.data, {"factor": 1})
    waiting = [Call(mixed, given, Timings(), lambda _: None, 1) for given in (parsed, with_params, lambda: 7, parsed)]
    first, second, third = batch.take(waiting), batch.take(waiting), batch.take(waiting)
    assert ([len(taken) for taken in (first, second, third)], waiting) == ([2, 1, 1], [])
    batch.score(third, _clock)
    assert third[0].answer() == 7


def test_a_model_whose_rows_depend_on_each_other_is_not_batched(tmp_path: Path) -> None:
    def centred(frame: Any) -> Any:
        return frame - frame.mean(axis=0)

    data = pandas.DataFrame({"x": [1.0, 2.0, 3.0], "y": [3.0, 1.0, 2.0]})
    model = make_pipeline(FunctionTransformer(centred), RandomForestRegressor(5, random_state=0))
    model.fit(data, [1.0, 2.0, 3.0])
    signature = ModelSignature(inputs=Schema([ColSpec("double", "x"), ColSpec("double", "y")]))
    mlflow.sklearn.save_model(
        model, tmp_path / "model", signature=signature, pip_requirements=[], serialization_format="cloudpickle"
    )
    lane = open_lane(_loaded(tmp_path / "model", "centred", {"dataframe_records": data.to_dict("records")}), _run)
    assert not lane.row_wise


def test_code_of_a_models_author_is_never_batched(models: Path) -> None:
    lane = open_lane(_loaded(models / digest("scaled"), "scaled", {"dataframe_records": [{"x": 1.0}]}), _run)
    assert not lane.row_wise


@pytest.mark.parametrize(("name", "row_wise"), [("diabetes", True), ("iris", True), ("text", False)])
def test_a_librarys_estimator_is_batched_and_a_pipeline_with_a_step_of_its_authors_own_is_not(
    models: Path, name: str, row_wise: bool
) -> None:
    saved = models / digest(name) / "serving_input_example.json"
    lane = open_lane(_loaded(models / digest(name), name, json.loads(saved.read_text())), _run)
    assert (lane.row_wise, lane.layout is not None) == (row_wise, True)


def test_a_pace_tells_what_a_predict_costs_from_what_a_row_costs() -> None:
    pace = Pace()
    for count in (1, 50, 3, 20, 100, 1) * 5:
        pace.saw(count, 0.01 + 0.002 * count)
    assert pace.fixed == pytest.approx(0.01, rel=0.01)
    assert pace.per_row == pytest.approx(0.002, rel=0.01)
    assert pace.seconds(2, 100) == pytest.approx(0.22, rel=0.01)


def test_a_batch_of_a_slow_model_is_kept_far_from_the_timeout() -> None:
    pace = Pace()
    assert pace.rows_at_most == 1, "nothing is known yet"
    pace.saw(1, 0.5)
    assert pace.rows_at_most == 2
    pace.saw(2, 1.0)
    assert pace.rows_at_most <= 4
    slow = Pace()
    slow.saw(1, 10.0)
    assert slow.rows_at_most == 1
    fixed = Pace()
    for _ in range(10):
        fixed.saw(fixed.rows_at_most, 0.8)
    assert fixed.rows_at_most > 100, "rows that cost nothing are taken in ever larger batches"


def test_one_predict_during_which_the_machine_stood_still_says_little_of_the_model() -> None:
    pace = Pace()
    for _ in range(20):
        pace.saw(1, 0.01)
    pace.saw(1, 5.0)
    assert pace.seconds(8, 8) < 0.3
    for _ in range(10):
        pace.saw(1, 5.0)
    assert pace.seconds(1, 1) > 2.0, "but a model that has become slow is believed"


class Leaning(Compiled):
    """Compiled as some are: the last digits of a row's answer depend on how many rows there are."""

    def __init__(self, original: Native) -> None:
        self.original, self.row_wise = original, original.row_wise
        self.takes_matrix = self.takes_columns = False

    def predict(self, data: Any, params: Any = None) -> Any:
        return self.original.predict(data, params) * (1 + 1e-7 * len(data))


def test_a_compiled_model_that_no_batch_may_hold_gives_way_to_its_original(tmp_path: Path) -> None:
    frame = FRAME[["amount", "extra"]]
    model = RandomForestRegressor(3, random_state=0).fit(frame, frame["amount"])
    signature = infer_signature(frame, model.predict(frame))
    mlflow.sklearn.save_model(
        model, tmp_path / "model", signature=signature, pip_requirements=[], serialization_format="cloudpickle"
    )
    loaded = _loaded(tmp_path / "model", "forest", {"dataframe_records": frame.to_dict("records")})
    original = loaded.scorer
    assert isinstance(original, Native)
    loaded.scorer = Leaning(original)
    lane = open_lane(loaded, _run)
    assert lane.row_wise
    assert vars(loaded)["scorer"] is original
    assert "rows beside it" in original.decision.reason

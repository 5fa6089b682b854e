"""Which models are compiled, that these answer as their originals, and that nothing which goes wrong keeps one away."""

import base64
import json
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import mlflow.sklearn
import numpy
import pandas
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from mlflow.models import infer_signature
from skl2onnx import convert_sklearn
from skl2onnx.common.data_types import FloatTensorType
from sklearn.compose import ColumnTransformer
from sklearn.datasets import load_diabetes, load_iris
from sklearn.ensemble import (
    GradientBoostingClassifier,
    GradientBoostingRegressor,
    HistGradientBoostingRegressor,
    RandomForestClassifier,
    RandomForestRegressor,
)
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, OneHotEncoder, StandardScaler
from sklearn.svm import SVC

from app import convert
from app.core import decision as decisions
from app.core import model as models
from app.core.compiled import Compiled
from app.core.decision import Decision
from app.core.deployment import Expected, ModelVersion
from app.core.model import LoadedModel
from app.core.scorer import Native

from .conftest import CHECKOUT, TEXTS, digest

DIABETES = load_diabetes(as_frame=True)
IRIS = load_iris(as_frame=True)
MIXED = pandas.DataFrame({"kind": ["a", "b", "c", "a"] * 30, "size": numpy.linspace(0.0, 9.0, 120)})
LETTERS = pandas.DataFrame({"text": TEXTS * 5})


def first_column(frame: Any) -> Any:
    return frame["text"]


def kinds_and_sizes(last: Any) -> Any:
    columns = ColumnTransformer([("kind", OneHotEncoder(handle_unknown="ignore"), ["kind"])], remainder="passthrough")
    return make_pipeline(columns, last)


MODELS: dict[str, tuple[Any, pandas.DataFrame, Any]] = {
    "forest": (RandomForestRegressor(40, random_state=0), DIABETES.data, DIABETES.target),
    "voting forest": (RandomForestClassifier(40, random_state=0), IRIS.data, IRIS.target_names[IRIS.target]),
    "boosting": (GradientBoostingRegressor(n_estimators=40, random_state=0), DIABETES.data, DIABETES.target),
    "voting boosting": (GradientBoostingClassifier(n_estimators=10, random_state=0), IRIS.data, IRIS.target),
    "histograms": (HistGradientBoostingRegressor(max_iter=20, random_state=0), DIABETES.data, DIABETES.target),
    "logistic": (LogisticRegression(max_iter=1000), IRIS.data, IRIS.target),
    "scaled forest": (
        make_pipeline(StandardScaler(), RandomForestRegressor(40, random_state=0)),
        DIABETES.data,
        DIABETES.target,
    ),
    "columns": (kinds_and_sizes(RandomForestRegressor(10, random_state=0)), MIXED, MIXED["size"] ** 2),
    "text": (
        make_pipeline(ColumnTransformer([("words", TfidfVectorizer(), "text")]), LogisticRegression()),
        LETTERS,
        ["+", "-"] * 15,
    ),
    "picked text": (
        make_pipeline(FunctionTransformer(first_column), TfidfVectorizer(), LogisticRegression()),
        LETTERS,
        ["+", "-"] * 15,
    ),
    "vectors": (SVC(probability=True, random_state=0), IRIS.data, IRIS.target),
}
NATIVE = {
    "histograms": "differs by",
    "scaled forest": "differs by",
    "vectors": "do not follow from probabilities",
}


HOWEVER_FAST = ("boosting", "voting boosting", "text", "picked text")
"""Compiled for these tests, though their originals are about as fast."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("compiled")


@pytest.fixture(scope="module")
def served(folder: Path) -> dict[str, LoadedModel]:
    """Each model with what was decided for it, as a server would load it."""
    found = {}
    for name, (estimator, frame, target) in MODELS.items():
        estimator.fit(frame, target)
        place = folder / digest(name)
        mlflow.sklearn.save_model(
            estimator,
            place,
            signature=infer_signature(frame, estimator.predict(frame)),
            input_example=frame.head(5),
            pip_requirements=[],
            serialization_format="cloudpickle",
        )
        body = json.loads((place / "serving_input_example.json").read_text())
        with pytest.MonkeyPatch.context() as patch:
            if name in HOWEVER_FAST:
                patch.setattr(convert, "FASTER", 0.0)
            decision, compiled = convert.judge(place, [body])
        if compiled:
            decision = replace(decision, digest=digest(f"{name}, compiled"))
            (folder / digest(f"{name}, compiled")).mkdir()
            (folder / digest(f"{name}, compiled") / decisions.MODEL).write_bytes(compiled)
        found[name] = models.load(described(name, place, decision), folder)
    return found


def described(name: str, place: Path, decision: Decision | None) -> ModelVersion:
    body = json.loads((place / "serving_input_example.json").read_text())
    output = models.answer(models.load_folder(place), body)
    expected = Expected(input=body, output=output, tolerance=1e-5)
    return ModelVersion(
        name=name,
        version="1",
        run_id=None,
        source=None,
        digest=digest(name),
        default=True,
        expected=expected,
        decision=decision,
    )


@pytest.mark.parametrize("name", MODELS)
def test_what_can_be_compiled_is_and_answers_as_the_original(name: str, served: dict[str, LoadedModel]) -> None:
    model = served[name]
    decision = model.scorer.decision
    if name in NATIVE:
        assert model.scorer.kind == "native"
        assert NATIVE[name] in decision.reason or "times as fast" in decision.reason
    elif "times as fast" not in decision.reason:  # how fast is for the machine to say
        assert model.scorer.kind == "compiled", decision.reason
    assert model.contradiction() is None
    frame = MODELS[name][1]
    answer, expected = model.scorer.predict(frame), model.pyfunc.predict(frame)
    assert (type(answer), answer.dtype.kind, answer.shape) == (type(expected), expected.dtype.kind, expected.shape)
    if answer.dtype.kind == "f":
        assert numpy.allclose(answer, expected, rtol=1e-5)
    else:
        assert (answer == expected).all()


@pytest.mark.parametrize("name", [name for name in MODELS if MODELS[name][1] is IRIS.data])
def test_labels_and_probabilities_come_together(name: str, served: dict[str, LoadedModel]) -> None:
    found = served[name].scorer.probabilities(IRIS.data)
    assert found is not None
    labels, probabilities = found
    original = MODELS[name][0]
    assert labels == original.classes_.tolist()
    assert numpy.allclose(probabilities, original.predict_proba(IRIS.data), atol=1e-5)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    rows=st.lists(
        st.lists(st.floats(-1e3, 1e3) | st.sampled_from([0.0, -0.0, 0.05, 1e-300, 3e38]), min_size=10, max_size=10),
        min_size=1,
        max_size=8,
    )
)
def test_any_row_is_answered_as_by_the_original(rows: list[list[float]], served: dict[str, LoadedModel]) -> None:
    for name in ("forest", "boosting"):
        frame = pandas.DataFrame(rows, columns=DIABETES.data.columns)
        expected = MODELS[name][0].predict(frame)
        assert numpy.allclose(served[name].scorer.predict(frame), expected, rtol=1e-5), name
        assert numpy.allclose(served[name].scorer.predict(frame.to_numpy()), expected, rtol=1e-5), name


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rows=st.lists(st.lists(st.floats(0, 9), min_size=4, max_size=4), min_size=1, max_size=8))
def test_any_row_gets_the_originals_class(rows: list[list[float]], served: dict[str, LoadedModel]) -> None:
    frame = pandas.DataFrame(rows, columns=IRIS.data.columns)
    for name in ("voting forest", "voting boosting", "logistic"):
        assert served[name].scorer.predict(frame).tolist() == MODELS[name][0].predict(frame).tolist(), name


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(texts=st.lists(st.text(max_size=30) | st.sampled_from([*TEXTS, "GOOD", "bad-film"]), min_size=1, max_size=8))
def test_any_text_gets_the_originals_class(texts: list[str], served: dict[str, LoadedModel]) -> None:
    frame = pandas.DataFrame({"text": texts})
    for name in ("text", "picked text"):
        assert served[name].scorer.predict(frame).tolist() == MODELS[name][0].predict(frame).tolist(), name


def test_what_the_original_refuses_a_compiled_model_refuses_too(served: dict[str, LoadedModel]) -> None:
    frame = IRIS.data.head(2).copy()
    frame.iloc[0, 0] = float("nan")
    with pytest.raises(ValueError, match="contains NaN"):
        served["logistic"].scorer.predict(frame)


def again(model: LoadedModel, folder: Path, scratch: Path, content: bytes) -> LoadedModel:
    """The same model, loaded with another file in the place of the one that was checked."""
    decision = model.version.decision
    assert decision is not None
    if decision.digest is None:
        pytest.skip(f"not compiled here: {decision.reason}")
    shutil.copytree(folder / model.version.digest, scratch / model.version.digest)
    (scratch / decision.digest).mkdir()
    (scratch / decision.digest / decisions.MODEL).write_bytes(content)
    return models.load(model.version, scratch)


def test_a_compiled_model_that_answers_the_example_wrongly_is_dropped_for_its_original(
    folder: Path, served: dict[str, LoadedModel], tmp_path: Path
) -> None:
    other = GradientBoostingRegressor(n_estimators=3, random_state=0).fit(DIABETES.data, DIABETES.target)
    wrong = convert_sklearn(other, initial_types=[("rows", FloatTensorType([None, 10]))]).SerializeToString()
    model = again(served["boosting"], folder, tmp_path, wrong)
    assert isinstance(model.scorer, Compiled)
    assert model.contradiction() is None, "the original answers as expected"
    assert isinstance(model.scorer, Native)
    assert "compiled, it answers its example wrongly" in model.scorer.decision.reason


@pytest.mark.parametrize("content", [b"nothing", b""])
def test_a_file_that_is_no_model_leaves_the_original(
    content: bytes, folder: Path, served: dict[str, LoadedModel], tmp_path: Path
) -> None:
    model = again(served["boosting"], folder, tmp_path, content)
    assert model.scorer.kind == "native"
    assert "does not load" in model.scorer.decision.reason
    assert model.contradiction() is None


def test_a_compiled_model_that_is_not_there_leaves_the_original(
    folder: Path, served: dict[str, LoadedModel], tmp_path: Path
) -> None:
    shutil.copytree(folder / digest("boosting"), tmp_path / digest("boosting"))
    found = decisions.from_manifest({"compiled": {"digest": "0" * 64, "prefix": 0, "feed": "matrix", "reason": ""}})
    model = models.load(replace(served["boosting"].version, decision=found), tmp_path)
    assert model.scorer.kind == "native"
    assert "does not load" in model.scorer.decision.reason


def test_a_model_of_an_older_deployment_is_served_natively_and_says_why(
    folder: Path, served: dict[str, LoadedModel]
) -> None:
    model = models.load(replace(served["boosting"].version, decision=None), folder)
    assert model.scorer.kind == "native"
    assert "without trying to compile it" in model.scorer.decision.reason


@pytest.mark.long
def test_the_release_says_what_it_decided_in_one_line(folder: Path, served: dict[str, LoadedModel]) -> None:
    command = [sys.executable, "-m", "app.convert", str(folder / digest("boosting"))]
    done = subprocess.run(command, cwd=CHECKOUT, capture_output=True, text=True, check=True, timeout=300)
    said = json.loads(done.stdout)
    assert said["rows_checked"] > 0
    assert said["versions"].keys() >= {"onnxruntime", "skl2onnx", "scikit-learn"}
    if said["kind"] == "compiled":
        assert base64.b64decode(said["model"])
        assert said["recipe"] == {"prefix": 0, "feed": "matrix"}

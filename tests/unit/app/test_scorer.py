"""The scorer answers what MLflow's `predict` answers, bit for bit, and knows whose rows are independent."""

from pathlib import Path
from typing import Any

import mlflow.pyfunc
import mlflow.sklearn
import numpy
import pandas
import pytest
from mlflow.models import infer_signature
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.compose import ColumnTransformer
from sklearn.datasets import load_breast_cancer, load_diabetes, load_iris
from sklearn.ensemble import (
    ExtraTreesClassifier,
    ExtraTreesRegressor,
    GradientBoostingRegressor,
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
    RandomForestClassifier,
    RandomForestRegressor,
)
from sklearn.linear_model import Lasso, LinearRegression, LogisticRegression, LogisticRegressionCV, Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler

from app.core import forest, scorer
from app.core.scorer import Native

DIABETES = load_diabetes(as_frame=True)
IRIS = load_iris(as_frame=True)
CANCER = load_breast_cancer(as_frame=True)


class Centred(TransformerMixin, BaseEstimator):  # type: ignore[misc]
    """Looks at all rows of a batch at once."""

    def fit(self, rows: Any, target: Any = None) -> "Centred":
        return self

    def transform(self, rows: Any) -> Any:
        return rows - rows.mean(axis=0)


def scaled(model: Any) -> Any:
    columns = ColumnTransformer([("scale", StandardScaler(), ["age", "bmi"])], remainder="passthrough")
    return make_pipeline(columns, model)


MODELS = {
    "forest": (RandomForestRegressor(30, random_state=0), DIABETES),
    "forest of one": (RandomForestRegressor(1, random_state=0), DIABETES),
    "threaded forest": (RandomForestRegressor(30, random_state=0, n_jobs=2), DIABETES),
    "extra trees": (ExtraTreesRegressor(30, random_state=0), DIABETES),
    "stumps": (RandomForestRegressor(7, max_depth=1, random_state=0), DIABETES),
    "voting forest": (RandomForestClassifier(30, random_state=0), IRIS),
    "voting extra trees": (ExtraTreesClassifier(30, random_state=0), IRIS),
    "forest in a pipeline": (scaled(RandomForestRegressor(30, random_state=0)), DIABETES),
    "boosting": (GradientBoostingRegressor(n_estimators=20, random_state=0), DIABETES),
    "histograms": (HistGradientBoostingClassifier(max_iter=5, random_state=0), IRIS),
    "histograms of two": (HistGradientBoostingClassifier(max_iter=5, random_state=0), CANCER),
    "histograms for a number": (HistGradientBoostingRegressor(max_iter=9, random_state=0), DIABETES),
    "histograms for a count": (HistGradientBoostingRegressor(max_iter=9, loss="poisson", random_state=0), DIABETES),
    "histograms in a pipeline": (make_pipeline(StandardScaler(), HistGradientBoostingRegressor(max_iter=9)), DIABETES),
    "logistic": (LogisticRegression(max_iter=1000), IRIS),
    "logistic of two": (LogisticRegression(max_iter=1000), CANCER),
    "cross-validated logistic": (LogisticRegressionCV(cv=2, max_iter=5000), IRIS),
    "linear": (LinearRegression(), DIABETES),
    "ridge": (Ridge(), DIABETES),
    "lasso": (Lasso(), DIABETES),
    "linear of many columns": (LinearRegression(), CANCER),
}


def save(model: Any, data: Any, folder: Path) -> Native:
    model.fit(data.data, data.target)
    signature = infer_signature(data.data, model.predict(data.data))
    mlflow.sklearn.save_model(
        model, folder, signature=signature, pip_requirements=[], serialization_format="cloudpickle"
    )
    return scorer.native(mlflow.pyfunc.load_model(str(folder)))


@pytest.mark.parametrize("name", MODELS)
def test_a_scorer_answers_what_mlflow_answers_bit_for_bit(name: str, tmp_path: Path) -> None:
    model, data = MODELS[name]
    native = save(model, data, tmp_path / "model")
    for rows in (1, 2, 64, len(data.data)):
        frame = data.data.head(rows)
        enforced, params = native.enforce(frame)
        answer, expected = native.predict(enforced, params), native.pyfunc.predict(frame)
        assert type(answer) is type(expected)
        assert (answer.dtype, answer.shape) == (expected.dtype, expected.shape)
        assert answer.tobytes() == expected.tobytes(), f"{rows} rows"
        apart = pandas.DataFrame({name: frame[name].tolist() for name in frame})  # as a request's rows are put together
        expected = native.pyfunc.predict(apart)
        assert native.predict(apart).tobytes() == expected.tobytes(), f"{rows} rows from columns"
        if native.takes_matrix:
            assert native.predict(frame.to_numpy()).tobytes() == expected.tobytes(), f"{rows} rows as a matrix"


@pytest.mark.parametrize("name", [name for name in MODELS if hasattr(MODELS[name][0], "predict_proba")])
def test_probabilities_are_the_estimators_own_with_its_labels(name: str, tmp_path: Path) -> None:
    model, data = MODELS[name]
    native = save(model, data, tmp_path / "model")
    found = native.probabilities(data.data)
    assert found is not None
    labels, probabilities = found
    assert labels == model.classes_.tolist()
    assert probabilities.tobytes() == model.predict_proba(data.data).tobytes()
    if native.takes_matrix:
        apart = pandas.DataFrame({name: data.data[name].tolist() for name in data.data})
        bare = native.probabilities(data.data.to_numpy())
        assert bare is not None
        assert bare[1].tobytes() == model.predict_proba(apart).tobytes()


def test_a_regressor_has_no_probabilities(tmp_path: Path) -> None:
    assert save(*MODELS["forest"], tmp_path / "model").probabilities(DIABETES.data) is None


def test_a_wide_batch_and_a_large_forest_take_the_other_way_and_agree(monkeypatch: pytest.MonkeyPatch) -> None:
    model = RandomForestRegressor(20, random_state=0).fit(DIABETES.data, DIABETES.target)
    rows = DIABETES.data.to_numpy(dtype=numpy.float32)
    fused = forest.Forest(model).mean(rows[:50])
    monkeypatch.setattr(forest, "FUSED_FLOATS", 0)
    called = forest.Forest(model).mean(rows[:50])
    monkeypatch.setattr(forest, "FUSED_NODES", 0)
    assert fused.tobytes() == called.tobytes() == forest.Forest(model).mean(rows[:50]).tobytes()


@pytest.mark.parametrize("wrong", [float("inf"), 1e300])
def test_what_a_forest_refuses_is_refused_in_its_own_words(wrong: float, tmp_path: Path) -> None:
    native = save(*MODELS["forest"], tmp_path / "model")
    frame = DIABETES.data.head(2).copy()
    frame.iloc[1, 3] = wrong
    said = []
    for data in (frame, frame.to_numpy()):
        with pytest.raises(ValueError, match="contains infinity") as refused:
            native.predict(data)
        said.append(str(refused.value))
    with pytest.raises(ValueError, match="contains") as own:
        native.pyfunc.predict(frame)
    assert said == [str(own.value)] * 2


def test_a_null_goes_where_the_forest_itself_sends_it(tmp_path: Path) -> None:
    native = save(*MODELS["forest"], tmp_path / "model")
    frame = DIABETES.data.head(2).copy()
    frame.iloc[1, 3] = float("nan")
    expected = native.pyfunc.predict(frame).tobytes()
    assert native.predict(frame).tobytes() == native.predict(frame.to_numpy()).tobytes() == expected


def test_a_forest_fitted_with_nulls_goes_on_taking_them(tmp_path: Path) -> None:
    data = DIABETES.data.copy()
    data.iloc[::7, 2] = float("nan")
    model = RandomForestRegressor(10, random_state=0).fit(data, DIABETES.target)
    signature = infer_signature(data, model.predict(data))
    mlflow.sklearn.save_model(
        model, tmp_path / "model", signature=signature, pip_requirements=[], serialization_format="cloudpickle"
    )
    native = scorer.native(mlflow.pyfunc.load_model(str(tmp_path / "model")))
    assert native.predict(data).tobytes() == model.predict(data).tobytes()


@pytest.mark.parametrize("name", ["forest", "linear"])
def test_columns_in_another_order_than_the_estimators_are_its_own_to_refuse(name: str, tmp_path: Path) -> None:
    native = save(*MODELS[name], tmp_path / "model")
    with pytest.raises(ValueError, match="feature names should match"):
        native.predict(DIABETES.data[DIABETES.data.columns[::-1]])


@pytest.mark.parametrize(
    ("model", "known"),
    [
        (MODELS["forest in a pipeline"][0], True),
        (make_pipeline(FunctionTransformer(numpy.log1p), LogisticRegression()), True),
        (make_pipeline(FunctionTransformer(lambda rows: rows - rows.mean()), LogisticRegression()), False),
        (make_pipeline(Centred(), LogisticRegression()), False),
    ],
)
def test_rows_are_known_to_be_independent_only_where_every_part_is_a_librarys(model: Any, known: bool) -> None:
    from app.core import estimators

    assert estimators.is_row_wise(model) is known


def test_a_signature_of_integers_beyond_float64_takes_no_matrix(tmp_path: Path) -> None:
    whole = pandas.DataFrame({"a": [1, 2, 3, 4], "b": [4, 3, 2, 1]})
    model = RandomForestRegressor(3, random_state=0).fit(whole, [1.0, 2.0, 3.0, 4.0])
    signature = infer_signature(whole, model.predict(whole))
    mlflow.sklearn.save_model(
        model, tmp_path / "model", signature=signature, pip_requirements=[], serialization_format="cloudpickle"
    )
    native = scorer.native(mlflow.pyfunc.load_model(str(tmp_path / "model")))
    assert not native.takes_matrix
    assert native.predict(whole).tobytes() == model.predict(whole).tobytes()

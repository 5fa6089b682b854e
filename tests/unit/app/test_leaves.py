"""LightGBM's models are asked without pandas, and answer what MLflow answers, bit for bit."""

import logging
from pathlib import Path
from typing import Any

import lightgbm
import mlflow.lightgbm
import mlflow.pyfunc
import numpy
import pandas
import pytest
from flask.testing import FlaskClient
from mlflow.models import infer_signature
from sklearn.datasets import load_breast_cancer, load_diabetes, load_iris

from app.core import leaves, scorer
from app.core.lane import open_lane
from app.core.model import LoadedModel
from app.core.scorer import Native

DIABETES, IRIS, CANCER = (load(as_frame=True) for load in (load_diabetes, load_iris, load_breast_cancer))
SMALL = {"n_estimators": 9, "num_leaves": 5, "n_jobs": 1, "verbose": -1}


class Doubled(lightgbm.LGBMRegressor):  # type: ignore[misc]
    def predict(self, *arguments: Any, **options: Any) -> Any:
        return 2 * super().predict(*arguments, **options)


def booster(data: Any) -> Any:
    return lightgbm.train({"verbose": -1, "num_leaves": 5}, lightgbm.Dataset(data.data, data.target), 9)


MODELS = {
    "regressor": (lightgbm.LGBMRegressor(**SMALL), DIABETES),
    "regressor for counts": (lightgbm.LGBMRegressor(objective="poisson", **SMALL), DIABETES),
    "classifier": (lightgbm.LGBMClassifier(**SMALL), IRIS),
    "classifier of two": (lightgbm.LGBMClassifier(**SMALL), CANCER),
    "hasty classifier": (lightgbm.LGBMClassifier(pred_early_stop=True, pred_early_stop_freq=1, **SMALL), CANCER),
    "booster": (None, DIABETES),
}


def save(model: Any, data: Any, folder: Path) -> Native:
    model = booster(data) if model is None else model.fit(data.data, data.target)
    signature = infer_signature(data.data, model.predict(data.data))
    mlflow.lightgbm.save_model(model, folder, signature=signature, pip_requirements=[])
    return scorer.native(mlflow.pyfunc.load_model(str(folder)))


def same(found: Any, expected: Any) -> bool:
    found, expected = numpy.asarray(found), numpy.asarray(expected)
    return (found.dtype, found.shape, found.tobytes()) == (expected.dtype, expected.shape, expected.tobytes())


@pytest.mark.parametrize("name", MODELS)
def test_a_matrix_and_a_frame_are_answered_as_mlflow_answers_bit_for_bit(name: str, tmp_path: Path) -> None:
    model, data = MODELS[name]
    native = save(model, data, tmp_path / "model")
    assert native.takes_matrix
    for rows in (1, 2, 64, len(data.data)):
        frame = data.data.head(rows)
        expected = native.pyfunc.predict(frame)
        assert same(native.predict(native.enforce(frame)[0]), expected), f"{rows} rows"
        assert same(native.predict(frame.to_numpy()), expected), f"{rows} rows as a matrix"


@pytest.mark.parametrize("name", [name for name in MODELS if "classifier" in name])
def test_labels_and_probabilities_are_the_estimators_own(name: str, tmp_path: Path) -> None:
    model, data = MODELS[name]
    native = save(model, data, tmp_path / "model")
    for asked in (data.data, data.data.to_numpy()):
        both, found = native.both(asked), native.probabilities(asked)
        assert both is not None
        assert found is not None
        assert same(both[0], model.predict(data.data))
        assert same(both[1], model.predict_proba(data.data))
        assert same(found[1], both[1])
        assert found[0] == model.classes_.tolist()


def test_a_subclass_and_a_model_with_categories_are_asked_as_mlflow_asks_them(tmp_path: Path) -> None:
    assert leaves.fast(Doubled(**SMALL).fit(DIABETES.data, DIABETES.target), lambda data: data) is None
    kinds = pandas.DataFrame({"x": DIABETES.data["bmi"], "kind": pandas.Categorical(["a", "b"] * 221)})
    model = lightgbm.LGBMRegressor(**SMALL).fit(kinds, DIABETES.target)
    plain = infer_signature(pandas.DataFrame({"x": [0.5], "kind": [1.5]}))
    mlflow.lightgbm.save_model(model, tmp_path / "kinds", signature=plain, pip_requirements=[])
    assert not scorer.native(mlflow.pyfunc.load_model(str(tmp_path / "kinds"))).takes_matrix


def test_predictions_of_a_served_model_need_no_pandas(zoo_client: FlaskClient, monkeypatch: pytest.MonkeyPatch) -> None:
    serving = zoo_client.application.extensions["slipway"]
    lane = serving.lane(serving.version("boosted"))
    rows = [[5.1, 3.5, 1.4, 0.2], [6.0, 2.5, 4.5, 1.5]]
    expected = lane.label(lane.layout.frame(rows))
    monkeypatch.delattr(pandas.DataFrame, "__init__")
    data = lane.plain(rows)
    assert isinstance(data, numpy.ndarray)
    found = lane.label(data)
    assert same(found[0], expected[0])
    assert same(found[1], expected[1])
    assert same(lane.score(data), expected[0])


def test_a_model_that_answers_a_matrix_otherwise_is_given_frames(
    zoo_client: FlaskClient, caplog: pytest.LogCaptureFixture
) -> None:
    serving = zoo_client.application.extensions["slipway"]
    served = serving.model(serving.version("boosted"))
    native = scorer.native(served.pyfunc)
    model = LoadedModel(served.version, served.pyfunc, native)
    assert open_lane(model, lambda work: work()).model.scorer.takes_matrix
    score = native.score
    native.score = lambda data, params: score(data, params) + isinstance(data, numpy.ndarray)
    with caplog.at_level(logging.WARNING):
        lane = open_lane(model, lambda work: work())
    assert not lane.model.scorer.takes_matrix
    assert "answers a matrix otherwise than its frame" in caplog.text
    assert lane.row_wise
    assert isinstance(lane.plain([[5.1, 3.5, 1.4, 0.2]]), pandas.DataFrame)

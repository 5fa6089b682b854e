"""The models that every server is given: the same files for all, made once from fixed seeds and saved by MLflow.

They are kept outside the checkout under a digest of this module and of the versions of the libraries that made them.
"""

import hashlib
import json
import logging
import shutil
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cloudpickle  # type: ignore[import-untyped]
import mlflow.pyfunc
import mlflow.sklearn
import numpy
import pandas
from mlflow.environment_variables import MLFLOW_UV_AUTO_DETECT
from mlflow.models import infer_signature
from sklearn.compose import ColumnTransformer
from sklearn.datasets import load_breast_cancer, load_diabetes, make_regression
from sklearn.ensemble import GradientBoostingRegressor, RandomForestRegressor
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from ops.lock import exclusive
from ops.steps import Step
from tests.bench.serving.environments import CHECKOUT, cache_folder, shared_versions

SLOW_ROW_SECONDS = 0.02
ROWS_AT_LEAST = 32

Made = tuple[Any, pandas.DataFrame]
"""A fitted model and rows to ask it about."""


@dataclass(frozen=True, kw_only=True)
class Case:
    """A model, and how many rows one request holds."""

    name: str
    model: str
    rows: int
    what: str

    @property
    def is_single(self) -> bool:
        return self.rows == 1


CASES = (
    Case(name="forest", model="forest", rows=1, what="RandomForestRegressor(100), 10 columns"),
    Case(name="boosting", model="boosting", rows=1, what="GradientBoostingRegressor(100), 10 columns"),
    Case(name="text", model="text", rows=1, what="tf-idf and logistic regression on a 40-word text"),
    Case(name="logistic", model="logistic", rows=1, what="logistic regression, 30 columns"),
    Case(name="wide", model="wide", rows=1, what="ridge regression, 1,000 columns"),
    Case(name="rows", model="forest", rows=1000, what="the forest, 1,000 rows in a request"),
)


class Slow(mlflow.pyfunc.PythonModel):  # type: ignore[misc]
    """A model of known capacity: each row takes 20 ms, however many come at once."""

    def predict(self, context: Any, model_input: pandas.DataFrame) -> Any:
        time.sleep(SLOW_ROW_SECONDS * len(model_input))
        return model_input["x"] * 2


def forest() -> Made:
    data = load_diabetes(as_frame=True)
    return RandomForestRegressor(100, random_state=0).fit(data.data, data.target), data.data


def boosting() -> Made:
    data = load_diabetes(as_frame=True)
    return GradientBoostingRegressor(random_state=0).fit(data.data, data.target), data.data


def text() -> Made:
    """Two kinds of text, told apart by which half of the vocabulary they favour."""
    random = numpy.random.default_rng(0)
    syllables = ["ka", "lo", "mi", "tu", "re", "sa", "ne", "vo", "pi", "du"]
    words = numpy.array(sorted({"".join(random.choice(syllables, 3)) for _ in range(3000)}))
    odds = numpy.linspace(1, 3, len(words))
    labels = random.integers(0, 2, 2000)
    weights = [odds / odds.sum(), odds[::-1] / odds.sum()]
    texts = [" ".join(random.choice(words, 40, p=weights[label])) for label in labels]
    frame = pandas.DataFrame({"text": texts})
    columns = ColumnTransformer([("tfidf", TfidfVectorizer(), "text")])
    model = make_pipeline(columns, LogisticRegression())
    return model.fit(frame, numpy.where(labels == 1, "positive", "negative")), frame


def logistic() -> Made:
    data = load_breast_cancer(as_frame=True)
    frame = data.data.rename(columns=lambda name: name.replace(" ", "_"))
    return make_pipeline(StandardScaler(), LogisticRegression()).fit(frame, data.target), frame


def wide() -> Made:
    values, target = make_regression(2000, 1000, noise=1.0, random_state=0)
    frame = pandas.DataFrame(values, columns=[f"c{number}" for number in range(1000)])
    return Ridge().fit(frame, target), frame


MAKERS: dict[str, Callable[[], Made]] = {each.__name__: each for each in (forest, boosting, text, logistic, wide)}


def ensure(step: Step) -> Path:
    """The folder of all models: `<name>/` as MLflow saves it, `<name>.json` with rows to ask about."""
    versions = shared_versions((CHECKOUT / "uv.lock").read_text())
    made_by = Path(__file__).read_bytes() + json.dumps(versions, sort_keys=True).encode()
    cache = cache_folder()
    home = cache / f"models-{hashlib.sha256(made_by).hexdigest()[:16]}"
    with exclusive(cache / "models.lock", "bench models", waiting=step.say):
        if not home.exists():
            half = cache / f".{home.name}.new"
            shutil.rmtree(half, ignore_errors=True)
            half.mkdir(parents=True)
            logging.getLogger("mlflow").setLevel(logging.ERROR)  # its warnings of pickled models are not news here
            MLFLOW_UV_AUTO_DETECT.set(False)  # the checkout's own lock is no part of a model
            for name, make in MAKERS.items():
                step.say(f"training {name}")
                save(half, name, *make())
            save_slow(half)
            half.rename(home)
    return home


def save(folder: Path, name: str, model: Any, frame: pandas.DataFrame) -> None:
    kept = max(case.rows for case in CASES if case.model == name)
    rows = frame.sample(max(kept, ROWS_AT_LEAST), replace=True, random_state=0).reset_index(drop=True)
    mlflow.sklearn.save_model(
        model,
        folder / name,
        signature=infer_signature(rows, model.predict(rows)),
        input_example=rows.head(3),
        pip_requirements=[],
        serialization_format="cloudpickle",
    )
    (folder / f"{name}.json").write_text(rows.to_json(orient="split", index=False, double_precision=15))


def save_slow(folder: Path) -> None:
    cloudpickle.register_pickle_by_value(sys.modules[__name__])  # no server has this module
    rows = pandas.DataFrame({"x": [float(number) for number in range(3)]})
    mlflow.pyfunc.save_model(
        folder / "slow",
        python_model=Slow(),
        signature=infer_signature(rows, rows["x"]),
        input_example=rows,
        pip_requirements=[],
    )
    (folder / "slow.json").write_text(rows.to_json(orient="split", index=False))

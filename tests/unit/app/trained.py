"""The models that most tests of the server serve: trained here, and saved by MLflow."""

import sys
import time
from pathlib import Path
from typing import Any

import cloudpickle  # type: ignore[import-untyped]
import mlflow.pyfunc
import mlflow.sklearn
import pandas
from mlflow.models import infer_signature
from mlflow.models.signature import ModelSignature
from mlflow.types import ColSpec, ParamSchema, ParamSpec, Schema
from sklearn.datasets import load_diabetes, load_iris
from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline

from . import zoo

TEXTS = ["good film", "bad film", "great fun", "awful bore", "good fun", "bad bore"]


class Scaled(mlflow.pyfunc.PythonModel):  # type: ignore[misc]
    """A model with a parameter, and code that raises on one value."""

    def predict(self, context: Any, model_input: pandas.DataFrame, params: dict[str, Any] | None = None) -> Any:
        if (model_input["x"] == 666).any():
            raise ValueError("the model's own fault: secret-cause")
        return (model_input["x"] * (params or {})["factor"]).tolist()


class Slow(mlflow.pyfunc.PythonModel):  # type: ignore[misc]
    """Takes as many seconds as it is told, then answers them."""

    def predict(self, context: Any, model_input: pandas.DataFrame) -> Any:
        time.sleep(float(model_input["seconds"].max()))
        return model_input["seconds"].tolist()


def digest(name: str) -> str:
    """A folder name that looks like a digest, one per model."""
    return name.encode().hex().ljust(64, "0")


def save(folder: Path) -> None:
    """`<digest>/` folders below `folder`, one per kind of model."""
    cloudpickle.register_pickle_by_value(sys.modules[__name__])  # the server's process has no tests
    _sklearn(folder, "diabetes", RandomForestRegressor(20, random_state=0, n_jobs=-1), load_diabetes(as_frame=True))
    _sklearn(folder, "iris", RandomForestClassifier(10, random_state=0), load_iris(as_frame=True))
    text = make_pipeline(TfidfVectorizer(), LogisticRegression()).fit(TEXTS, ["+", "-", "+", "-", "+", "-"])
    signature = ModelSignature(inputs=Schema([ColSpec("string", "text")]), outputs=Schema([ColSpec("string")]))
    pipeline = make_pipeline(_column, text)
    _save_sklearn(pipeline, folder / digest("text"), signature, pandas.DataFrame({"text": TEXTS[:2]}))
    _save_sklearn(text, folder / digest("unsigned"), None, None)
    params = ParamSchema([ParamSpec("factor", "double", 2.0)])
    mlflow.pyfunc.save_model(
        folder / digest("scaled"),
        python_model=Scaled(),
        signature=ModelSignature(inputs=Schema([ColSpec("double", "x")]), params=params),
        pip_requirements=[],
    )
    signature = ModelSignature(inputs=Schema([ColSpec("double", "seconds")]))
    mlflow.pyfunc.save_model(folder / digest("slow"), python_model=Slow(), signature=signature, pip_requirements=[])
    cloudpickle.register_pickle_by_value(zoo)
    zoo.save(lambda name: folder / digest(name))


class _Column:
    """Takes the one column out of the frame that a signature makes."""

    def fit(self, frame: Any, target: Any = None) -> "_Column":
        return self

    def transform(self, frame: Any) -> Any:
        return frame["text"] if isinstance(frame, pandas.DataFrame) else frame


_column = _Column()


def _sklearn(folder: Path, name: str, model: Any, data: Any) -> None:
    model.fit(data.data, data.target)
    signature = infer_signature(data.data, model.predict(data.data))
    _save_sklearn(model, folder / digest(name), signature, data.data.head(3))


def _save_sklearn(model: Any, path: Path, signature: Any, example: Any) -> None:
    mlflow.sklearn.save_model(
        model,
        path,
        signature=signature,
        input_example=example,
        pip_requirements=[],
        serialization_format="cloudpickle",
    )

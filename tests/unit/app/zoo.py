"""Models of other flavours and of unusual signatures, saved by MLflow: what a protocol must carry there and back."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import lightgbm
import mlflow.lightgbm
import mlflow.pyfunc
import numpy
import pandas
from mlflow.models import infer_signature
from mlflow.models.signature import ModelSignature
from mlflow.types import ColSpec, ParamSchema, ParamSpec, Schema, TensorSpec
from mlflow.types.schema import Array, DataType
from sklearn.datasets import load_iris

MIXED = Schema(
    [
        ColSpec("long", "count"),
        ColSpec("integer", "small"),
        ColSpec("double", "size"),
        ColSpec("float", "ratio"),
        ColSpec("boolean", "open"),
        ColSpec("string", "city"),
        ColSpec("datetime", "when"),
        ColSpec("binary", "blob"),
        ColSpec(Array(DataType.double), "parts"),
        ColSpec("double", "extra", required=False),
    ]
)
MIXED_ROW = {
    "count": 7,
    "small": -3,
    "size": 2.5,
    "ratio": 0.5,
    "open": True,
    "city": "Zürich",
    "when": "2026-01-02T03:04:05",
    "blob": "AP8=",
    "parts": [1.0, 2.5],
}


class Echo(mlflow.pyfunc.PythonModel):  # type: ignore[misc]
    """A frame with what came: its values, and the types that the signature made of them."""

    def predict(self, context: Any, model_input: pandas.DataFrame) -> Any:
        found = model_input.copy()
        found["blob"] = [len(blob) for blob in found["blob"]]
        found["sum"] = [float(sum(parts)) for parts in found.pop("parts")]
        return found


class Greet(mlflow.pyfunc.PythonModel):  # type: ignore[misc]
    def predict(self, context: Any, model_input: pandas.DataFrame, params: dict[str, Any] | None = None) -> Any:
        return [f"{(params or {})['word']} {name}" for name in model_input["name"]]


class Facts(mlflow.pyfunc.PythonModel):  # type: ignore[misc]
    def predict(self, context: Any, model_input: pandas.DataFrame) -> Any:
        return {
            "mean": [float(model_input["x"].mean())],
            "name": "facts",
            "root": numpy.sqrt(model_input["x"].to_numpy()),
        }


class Halves(mlflow.pyfunc.PythonModel):  # type: ignore[misc]
    """Of one tensor; the half of a number below zero is NaN."""

    def predict(self, context: Any, model_input: Any) -> Any:
        return numpy.where(model_input < 0, numpy.nan, model_input / 2).astype(numpy.float32)


class Joined(mlflow.pyfunc.PythonModel):  # type: ignore[misc]
    """Of two tensors by name."""

    def predict(self, context: Any, model_input: Any) -> Any:
        return {"sum": model_input["a"].sum(axis=1) + model_input["b"], "b": model_input["b"]}


class Hinted(mlflow.pyfunc.PythonModel):  # type: ignore[misc]
    """Its signature comes from its type hints, and MLflow then parses nothing."""

    def predict(self, model_input: list[dict[str, int]]) -> list[str]:
        return [",".join(f"{key}={value}" for key, value in sorted(row.items())) for row in model_input]


def save(place: Callable[[str], Path]) -> None:
    """Each model in the folder that `place` gives for its name."""
    size = TensorSpec(numpy.dtype("float32"), (-1, 2, 3))
    pair = [TensorSpec(numpy.dtype("float64"), (-1, 2), "a"), TensorSpec(numpy.dtype("int64"), (-1,), "b")]
    word = ParamSchema([ParamSpec("word", "string", "hello")])
    strings = ModelSignature(Schema([ColSpec("string", "name")]), Schema([ColSpec("string")]), word)
    for name, model, signature in (
        ("echo", Echo(), ModelSignature(MIXED)),
        ("greet", Greet(), strings),
        ("facts", Facts(), ModelSignature(Schema([ColSpec("double", "x")]))),
        ("halves", Halves(), ModelSignature(Schema([size]), Schema([size]))),
        ("joined", Joined(), ModelSignature(Schema(pair))),
    ):
        mlflow.pyfunc.save_model(place(name), python_model=model, signature=signature, pip_requirements=[])
    mlflow.pyfunc.save_model(place("hinted"), python_model=Hinted(), pip_requirements=[])
    _boosted(place("boosted"))


def _boosted(path: Path) -> None:
    data = load_iris(as_frame=True)
    features = data.data.set_axis(["a", "b", "c", "d"], axis=1)
    model = lightgbm.LGBMClassifier(n_estimators=5, num_leaves=4, n_jobs=1, verbose=-1).fit(features, data.target)
    signature = infer_signature(features, model.predict(features))
    mlflow.lightgbm.save_model(model, path, signature=signature, input_example=features.head(3), pip_requirements=[])


EXAMPLES: dict[str, Any] = {
    "echo": {"dataframe_records": [MIXED_ROW, {**MIXED_ROW, "extra": 1.0, "city": "Bern"}]},
    "greet": {"dataframe_records": [{"name": "Ada"}], "params": {"word": "dear"}},
    "facts": {"dataframe_records": [{"x": 1.0}, {"x": 4.0}]},
    "halves": {"inputs": [[[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]]},
    "hinted": {"inputs": [{"a": 1}, {"a": 2, "b": 3}]},
    "joined": {"inputs": {"a": [[1.0, 2.0], [3.0, 4.0]], "b": [1, 2]}},
}

"""Small real models for tests of jobs, saved by MLflow, in deployments of the model server's own kind."""

import json
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cloudpickle  # type: ignore[import-untyped]
import mlflow.pyfunc
import mlflow.sklearn
import pandas
from mlflow.models.signature import ModelSignature
from mlflow.types import ColSpec, Schema
from sklearn.linear_model import LinearRegression

RELEASE = "f" * 64
DIGESTS = {"echo": "a" * 64, "linear": "b" * 64}


class Echo(mlflow.pyfunc.PythonModel):  # type: ignore[misc]
    """Answers twice what it is given, after so many seconds. It fails at 666 and ends its server at 999."""

    def predict(self, context: Any, model_input: pandas.DataFrame) -> Any:
        import os

        time.sleep(float(model_input["seconds"].max()))
        if (model_input["x"] == 666).any():
            raise ValueError("a number that this model cannot bear")
        if (model_input["x"] == 999).any():
            os._exit(9)
        return (model_input["x"] * 2).tolist()


def save(folder: Path) -> Path:
    """The folder of models that a server is given."""
    cloudpickle.register_pickle_by_value(sys.modules[__name__])
    schema = Schema([ColSpec("double", "x"), ColSpec("double", "seconds")])
    told = {"signature": ModelSignature(inputs=schema), "pip_requirements": []}
    mlflow.pyfunc.save_model(folder / DIGESTS["echo"], python_model=Echo(), **told)
    rows = pandas.DataFrame({"x": [0.0, 1.0, 2.0], "seconds": [0.0, 1.0, 0.0]})
    linear = LinearRegression().fit(rows, 2 * rows["x"])
    mlflow.sklearn.save_model(linear, folder / DIGESTS["linear"], serialization_format="cloudpickle", **told)
    return folder


def manifest(folder: Path, version: str) -> Path:
    """Of a deployment of the models under that version; the version makes it another deployment."""
    example = {"dataframe_split": {"columns": ["x", "seconds"], "data": [[1.0, 0.0]]}}
    models = [
        {
            "name": name,
            "version": version,
            "run_id": "run",
            "source": f"models:/{name}/{version}",
            "digest": digest,
            "default": name == "echo",
            "expected": {"input": example, "output": {"predictions": [2.0]}, "tolerance": 1e-6},
        }
        for name, digest in DIGESTS.items()
    ]
    file = folder / f"deployment-{version}.json"
    content = {"schema": 1, "release": RELEASE, "models": models}
    file.write_text(json.dumps(content, sort_keys=True, separators=(",", ":")))
    return file


def rows(values: Sequence[float], seconds: float = 0.0) -> bytes:
    return json.dumps([{"x": value, "seconds": seconds} for value in values]).encode()

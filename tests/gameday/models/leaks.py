"""A model that keeps some memory of each prediction and gives the right answers."""

from typing import Any

import mlflow
import numpy
import numpy.typing
import pandas

BYTES = 8 << 20
kept: list[numpy.typing.NDArray[numpy.uint8]] = []


class Leaks(mlflow.pyfunc.PythonModel):  # type: ignore[misc]
    def predict(self, context: Any, model_input: pandas.DataFrame, params: Any = None) -> list[float]:
        kept.append(numpy.ones(BYTES, dtype=numpy.uint8))
        return [float(value) for value in model_input["bmi"]]


mlflow.models.set_model(Leaks())

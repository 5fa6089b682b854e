"""A model whose answer is another one each time: what it gave when its deployment was made, no node gives again."""

import random
from typing import Any

import mlflow
import pandas


class AnswersDifferently(mlflow.pyfunc.PythonModel):  # type: ignore[misc]
    def predict(self, context: Any, model_input: pandas.DataFrame, params: Any = None) -> list[float]:
        return [random.random() for _ in range(len(model_input))]


mlflow.models.set_model(AnswersDifferently())

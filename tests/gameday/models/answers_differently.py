"""A model whose answer is another one each time, or in each process: what it gave when its deployment was made, no
node gives again. Which of the two is in its configuration: `each`, `time` or `process`.
"""

import random
from typing import Any

import mlflow
import pandas


class AnswersDifferently(mlflow.pyfunc.PythonModel):  # type: ignore[misc]
    def load_context(self, context: Any) -> None:
        self.each, self.answer = context.model_config["each"], random.random()

    def predict(self, context: Any, model_input: pandas.DataFrame, params: Any = None) -> list[float]:
        return [self.answer if self.each == "process" else random.random() for _ in range(len(model_input))]


mlflow.models.set_model(AnswersDifferently())

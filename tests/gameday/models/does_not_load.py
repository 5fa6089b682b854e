"""A model that cannot be loaded."""

from typing import Any

import mlflow
import pandas


class DoesNotLoad(mlflow.pyfunc.PythonModel):  # type: ignore[misc]
    def load_context(self, context: Any) -> None:
        raise RuntimeError("this model does not load")

    def predict(self, context: Any, model_input: pandas.DataFrame, params: Any = None) -> list[float]:
        return [0.0] * len(model_input)


mlflow.models.set_model(DoesNotLoad())

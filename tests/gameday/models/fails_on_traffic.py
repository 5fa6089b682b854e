"""A model that answers its example and fails on what callers send: rows whose `bmi` is the one in its configuration.

How it fails is there too: `raises`, `slow`, `kills`.
"""

import os
import signal
import time
from typing import Any

import mlflow
import pandas

SLOW_SECONDS = 0.5


class FailsOnTraffic(mlflow.pyfunc.PythonModel):  # type: ignore[misc]
    def load_context(self, context: Any) -> None:
        self.how, self.bmi = context.model_config["how"], context.model_config["bmi"]

    def predict(self, context: Any, model_input: pandas.DataFrame, params: Any = None) -> list[float]:
        if (model_input["bmi"] == self.bmi).any():
            self.fail()
        return [float(value) for value in model_input["bmi"]]

    def fail(self) -> None:
        if self.how == "raises":
            raise RuntimeError("this model raises on traffic")
        if self.how == "kills":
            os.kill(os.getpid(), signal.SIGKILL)
        if self.how == "slow":
            time.sleep(SLOW_SECONDS)


mlflow.models.set_model(FailsOnTraffic())

"""The model behind BentoML, adaptive batching as https://docs.bentoml.com/en/latest/get-started/adaptive-batching.html
recommends: the argument is the batch, and BentoML joins requests along its first dimension.
"""

import os

import bentoml
import mlflow.sklearn
import numpy as np
import pandas

WORKERS = int(os.environ["BENCH_WORKERS"])
COLUMNS = os.environ["BENCH_COLUMNS"].split(",")


@bentoml.service(workers=WORKERS)
class Predictor:
    def __init__(self) -> None:
        self.model = mlflow.sklearn.load_model(os.environ["BENCH_MODEL"])

    @bentoml.api(batchable=True, max_batch_size=1000)  # type: ignore[untyped-decorator]
    def predict(self, rows: np.ndarray) -> np.ndarray:
        answers: np.ndarray = self.model.predict(pandas.DataFrame(rows, columns=COLUMNS))
        return answers

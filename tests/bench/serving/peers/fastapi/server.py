"""The model behind FastAPI: a pydantic body and a plain `def`, which FastAPI runs in its thread pool
(https://fastapi.tiangolo.com/async/).
"""

import os
from typing import Any

import mlflow.sklearn
import pandas
from fastapi import FastAPI
from pydantic import BaseModel

app = FastAPI()
model = mlflow.sklearn.load_model(os.environ["BENCH_MODEL"])


class Frame(BaseModel):
    columns: list[str]
    data: list[list[float | str]]


class Request(BaseModel):
    dataframe_split: Frame


@app.get("/health")
def health() -> dict[str, str]:
    return {"status": "ok"}


@app.post("/predict")
def predict(request: Request) -> dict[str, list[Any]]:
    frame = pandas.DataFrame(request.dataframe_split.data, columns=request.dataframe_split.columns)
    return {"predictions": model.predict(frame).tolist()}

"""The model behind Flask, to be run by gunicorn (https://flask.palletsprojects.com/en/stable/deploying/gunicorn/)."""

import os

import mlflow.sklearn
import pandas
from flask import Flask, jsonify, request
from flask.typing import ResponseReturnValue

app = Flask(__name__)
model = mlflow.sklearn.load_model(os.environ["BENCH_MODEL"])


@app.get("/health")
def health() -> ResponseReturnValue:
    return "ok"


@app.post("/predict")
def predict() -> ResponseReturnValue:
    frame = pandas.DataFrame(**request.get_json()["dataframe_split"])
    return jsonify(predictions=model.predict(frame).tolist())

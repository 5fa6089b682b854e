"""The routes that predict: MLflow's scoring protocol, and plain rows for people."""

import time
from collections.abc import Callable

import mlflow.models
from flask import Blueprint, Response, request

from app.core import inputs, rows
from app.core.body import JSON
from app.core.inputs import Input
from app.core.model import LoadedModel, render
from app.http import bodies
from app.http.state import record, serving

Parser = Callable[[bytes, str | None, mlflow.models.Model], Input]

routes = Blueprint("predictions", __name__)


@routes.post("/invocations")
@routes.post("/models/<name>/invocations")
def invocations(name: str | None = None) -> Response:
    model, given = _read(name, inputs.invocation)
    predictions = serving().predict(model, given, record().timings)
    return Response(render(predictions, given), content_type=JSON)


@routes.post("/predict")
@routes.post("/predict/<name>")
def predict(name: str | None = None) -> Response:
    model, given = _read(name, rows.rows)
    predictions = serving().predict(model, given, record().timings)
    labelled = serving().probabilities(model, given, record().timings)
    return Response(rows.answer(predictions, labelled), content_type=JSON)


def _read(name: str | None, parse: Parser) -> tuple[LoadedModel, Input]:
    facts = record()
    facts.model = serving().version(name)
    model = serving().model(facts.model)
    started = time.monotonic()
    given = parse(bodies.read(), request.content_type, model.pyfunc.metadata)
    facts.parse_seconds = time.monotonic() - started
    facts.rows = given.rows
    return model, given

"""The routes that predict: MLflow's scoring protocol, and plain rows for people."""

import time
from collections.abc import Callable

import mlflow.models
from flask import Blueprint, Response, request

from app.core import inputs
from app.core.errors import BadInputError, UnsupportedContentError
from app.core.inputs import Input
from app.core.model import render
from app.http.state import record, serving

Parser = Callable[[bytes, str | None, mlflow.models.Model], Input]

routes = Blueprint("predictions", __name__)


@routes.post("/invocations")
@routes.post("/models/<name>/invocations")
def invocations(name: str | None = None) -> Response:
    return _predict(name, inputs.invocation)


@routes.post("/predict")
@routes.post("/predict/<name>")
def predict(name: str | None = None) -> Response:
    return _predict(name, inputs.rows)


def _predict(name: str | None, parse: Parser) -> Response:
    facts = record()
    facts.model = serving().version(name)
    model = serving().model(facts.model)
    started = time.monotonic()
    given = parse(_body(), request.content_type, model.pyfunc.metadata)
    facts.parse_seconds = time.monotonic() - started
    facts.rows = given.rows
    predictions = serving().predict(model, given, facts.timings)
    return Response(render(predictions, given), content_type=inputs.JSON)


def _body() -> bytes:
    encoding = request.headers.get("Content-Encoding", "identity")
    if encoding.lower() != "identity":
        raise UnsupportedContentError(f"Content-Encoding is {encoding!r}, expected a body that is not compressed")
    try:
        return bytes(request.get_data(cache=False))
    except OSError as error:  # gunicorn's: a chunk that is no chunk, a client that went away
        raise BadInputError(f"the body cannot be read: {type(error).__name__}") from error

"""The Open Inference Protocol V2 over REST, with the repository index and binary tensor data.

Names and versions come from the deployment; loading and unloading do not exist here, since a deployment is changed by
a rollout, on every node alike.
"""

import time
from functools import partial
from typing import Any

from flask import Blueprint, Response, jsonify, request

from app.core import openinference_output, openinference_request
from app.core.body import JSON, decode, media_type
from app.core.deployment import ModelVersion
from app.core.errors import BadInputError, UnknownModelError
from app.core.openinference_input import to_input
from app.core.openinference_request import HEADER_LENGTH, Request
from app.core.openinference_signature import describe
from app.core.openinference_tensor import Array
from app.http import bodies
from app.http.state import record, serving

BINARY = "application/octet-stream"
EXTENSIONS = ["model_repository", "binary_tensor_data"]
STATES = {"ready": "READY", "loading": "LOADING", "failed": "UNAVAILABLE"}

routes = Blueprint("openinference", __name__, url_prefix="/v2")


@routes.get("")
def server() -> Response:
    return jsonify({"name": "slipway", "version": serving().deployment.release[:12], "extensions": EXTENSIONS})


@routes.get("/health/live")
def live() -> Response:
    return jsonify({"live": True})


@routes.get("/health/ready")
def ready() -> tuple[Response, int]:
    is_ready = not serving().failing_checks()
    return jsonify({"ready": is_ready}), 200 if is_ready else 503


@routes.get("/models/<name>")
@routes.get("/models/<name>/versions/<number>")
def metadata(name: str, number: str | None = None) -> Response:
    version = _version(name, number)
    model = serving().model(version)
    head = {"name": version.name, "versions": [version.version], "platform": model.pyfunc.loader_module}
    return jsonify({**head, **describe(model.pyfunc.metadata, model.classes)})


@routes.get("/models/<name>/ready")
@routes.get("/models/<name>/versions/<number>/ready")
def model_ready(name: str, number: str | None = None) -> tuple[Response, int]:
    version = _version(name, number)
    is_ready = serving().status(version) == "ready"
    return jsonify({"name": version.name, "ready": is_ready}), 200 if is_ready else 503


@routes.post("/models/<name>/infer")
@routes.post("/models/<name>/versions/<number>/infer")
def infer(name: str, number: str | None = None) -> Response:
    facts = record()
    model = serving().model(_version(name, number))
    started = time.monotonic()
    asked = _request()
    given = to_input(asked, model.pyfunc.metadata)
    facts.parse_seconds, facts.rows = time.monotonic() - started, given.rows
    predictions = serving().predict(model, given, facts.timings)
    schema = model.pyfunc.metadata.get_output_schema()
    labels = partial(serving().probabilities, model, given, facts.timings)
    outputs = openinference_output.outputs(asked, predictions, schema, labels)
    return _respond(model.version, asked, outputs)


@routes.post("/repository/index")
def index() -> Response:
    """An empty body asks for all models, as `{"ready": false}` does."""
    body = bodies.read()
    asked = decode(body) if body.strip() else {}
    if not isinstance(asked, dict) or not isinstance(asked.get("ready", False), bool):
        raise BadInputError('expected an object, with "ready" true or false if at all')
    found = [_entry(version) for version in serving().deployment.models]
    return jsonify([entry for entry in found if entry["state"] == "READY" or not asked.get("ready", False)])


@routes.post("/repository/models/<name>/load")
@routes.post("/repository/models/<name>/unload")
def change(name: str) -> Response:
    version = _version(name, None)
    why = f"deployment {serving().deployment.id} serves it, and only a rollout of another one changes what is loaded"
    raise BadInputError(f"model {version.label} cannot be loaded or unloaded here: {why}")


def _version(name: str, number: str | None) -> ModelVersion:
    version = serving().version(name)
    if number is not None and number != version.version:
        there_is = f"deployment {serving().deployment.id} has version {version.version}"
        raise UnknownModelError(f"there is no version {number[:80]!r} of model {name!r}, {there_is}")
    record().model = version
    return version


def _request() -> Request:
    """Clients of this protocol may leave out the content type."""
    header_length = request.headers.get(HEADER_LENGTH)
    accepted = (JSON,) if header_length is None else (BINARY, JSON)
    if request.content_type:
        media_type(request.content_type, accepted)
    return openinference_request.parse(bodies.read(), header_length)


def _respond(version: ModelVersion, asked: Request, outputs: dict[str, Array]) -> Response:
    answer = openinference_output.answer(version, asked, outputs)
    if answer.header_length is None:
        return Response(answer.body, content_type=JSON)
    return Response(answer.body, content_type=BINARY, headers={HEADER_LENGTH: str(answer.header_length)})


def _entry(version: ModelVersion) -> dict[str, Any]:
    status = serving().status(version)
    checks = serving().failing_checks() if status == "failed" else []
    reason = next((check["message"] for check in checks if check["check"] == f"model {version.label}"), "")
    return {"name": version.name, "version": version.version, "state": STATES[status], "reason": reason}

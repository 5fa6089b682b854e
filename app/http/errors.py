"""The one place that renders errors, in the shape of the protocol that was spoken. No traceback leaves the process."""

import logging
from typing import Any

from flask import Flask, Response, jsonify, request
from werkzeug.exceptions import HTTPException, RequestEntityTooLarge

from app.core.errors import ModelFailedError, ServingError
from app.core.meters import kind
from app.http.state import record
from contract import HTTP

# MLflow's names for what werkzeug refuses.
CODES = {404: "ENDPOINT_NOT_FOUND", 405: "BAD_REQUEST", 413: "BAD_REQUEST"}

log = logging.getLogger(__name__)


def register(app: Flask) -> None:
    app.register_error_handler(ServingError, _serving)
    app.register_error_handler(HTTPException, _http)
    app.register_error_handler(Exception, _bug)


def _serving(error: ServingError) -> Response:
    record().kind = kind(error)
    if isinstance(error, ModelFailedError):
        log.error("model failed", exc_info=error, extra={"request_id": record().request_id})
    response = _render(error.status, error.code, error.message)
    if error.retry_after_seconds is not None:
        response.headers["Retry-After"] = str(error.retry_after_seconds)
    return response


def _http(error: HTTPException) -> Response:
    record().kind = kind(error)
    status = error.code or 500
    message = error.description or error.name
    if isinstance(error, RequestEntityTooLarge):
        message = f"the body is larger than {HTTP.body_bytes} bytes"
    elif status == 404:
        message = f"there is nothing at {request.path[:200]}; predictions are at /invocations and /predict"
    elif status == 405:
        message = f"{request.path[:200]} does not take {request.method[:20]}"
    response = _render(status, CODES.get(status, "BAD_REQUEST" if status < 500 else "INTERNAL_ERROR"), message)
    for name, value in error.get_headers():
        if name in ("Allow", "Retry-After"):
            response.headers[name] = value
    return response


def _bug(error: Exception) -> Response:
    record().kind = "bug"
    request_id = record().request_id
    log.critical("unexpected error", exc_info=error, extra={"request_id": request_id})
    return _render(500, "INTERNAL_ERROR", "the server failed; its log has the trace under this request id")


def _render(status: int, code: str, message: str) -> Response:
    facts = record()
    facts.error = code
    response = jsonify(_shape(code, message, facts.request_id))
    response.status_code = status
    return response


def _shape(code: str, message: str, request_id: str) -> dict[str, Any]:
    """What the protocol of this path calls an error."""
    if request.path.endswith("/invocations"):
        return {"error_code": code, "message": message, "request_id": request_id}
    if request.path == "/v2" or request.path.startswith("/v2/"):
        return {"error": message}
    return {"error": {"code": code, "message": message, "request_id": request_id}}

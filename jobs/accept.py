"""The accepting application: thin routes over the desk. Nginx sends it what asks to be a job, and `/jobs/`."""

import logging
from uuid import UUID

from flask import Flask, Response, g, request
from werkzeug.exceptions import HTTPException, RequestEntityTooLarge

from contract import HEADERS
from jobs import answers, ids, requests
from jobs.config import Config
from jobs.desk import Desk
from jobs.errors import BadRequestError, JobsError, NotFoundError

POLL_SECONDS = 1

log = logging.getLogger("jobs.accept")


def create_app(found: Config) -> Flask:
    """`app.extensions["desk"].start()` is the caller's, after the fork."""
    app = Flask("jobs", static_folder=None)
    app.config["MAX_CONTENT_LENGTH"] = found.limits.body_bytes
    app.url_map.merge_slashes = False
    app.extensions["desk"] = desk = Desk(found)
    app.before_request(_begin)
    app.after_request(_finish)
    _add_routes(app, desk)
    app.register_error_handler(JobsError, _refused)
    app.register_error_handler(HTTPException, _http)
    app.register_error_handler(Exception, _bug)
    return app


def _add_routes(app: Flask, desk: Desk) -> None:
    @app.get("/jobs/health")
    def health() -> Response:
        found = desk.health()
        return app.json.response(found) if found["database"] else _json(app.json.dumps(found).encode(), 503)

    @app.get("/jobs/<job>")
    def tell(job: str) -> Response:
        told = desk.tell(_id(job))
        response = _json(answers.document(told.job, told.position, told.content))
        if told.job.ended is None:
            response.headers["Retry-After"] = str(POLL_SECONDS)
        return _served(response, told.job.deployment, told.job.model)

    @app.get("/jobs/<job>/result")
    def result(job: str) -> Response:
        found, content = desk.result(_id(job))
        response = Response(content, found.status or 200, content_type=found.result_type)
        return _served(response, found.deployment, found.model)

    @app.delete("/jobs/<job>")
    def cancel(job: str) -> Response:
        was = desk.cancel(_id(job))
        return _json(answers.cancelled(job), 202 if was == "running" else 200)

    @app.post("/<path:_any>")
    def accept(_any: str) -> Response:
        address = requests.target(request.path, request.query_string.decode("latin-1"))
        if address is None:
            raise NotFoundError(f"nothing predicts at {request.path[:200]}; see /predict and /v2/models/…/infer")
        job = str(desk.accept(address, request.headers, _body(), g.request_id))
        response = _json(answers.accepted(job), 202)
        response.headers["Location"] = f"/jobs/{job}"
        response.headers["Retry-After"] = str(POLL_SECONDS)
        if requests.PREFERENCE in request.headers.get("Prefer", ""):
            response.headers["Preference-Applied"] = requests.PREFERENCE
        return response


def _begin() -> None:
    g.request_id = requests.request_id(request.headers.get(HEADERS.request_id, ""))


def _finish(response: Response) -> Response:
    response.headers[HEADERS.request_id] = g.request_id
    response.headers["Cache-Control"] = "no-store"
    return response


def _id(text: str) -> UUID:
    found = ids.parse(text)
    if found is None:
        raise NotFoundError("that is no job's id")
    return found


def _body() -> bytes:
    try:
        return bytes(request.get_data(cache=False))
    except OSError as error:  # gunicorn's: a chunk that is no chunk, a client that went away
        raise BadRequestError(f"the body cannot be read: {type(error).__name__}") from error


def _json(content: bytes, status: int = 200) -> Response:
    return Response(content, status, content_type=answers.JSON)


def _served(response: Response, deployment: str | None, model: str | None) -> Response:
    for name, value in ((HEADERS.deployment, deployment), (HEADERS.model, model)):
        if value:
            response.headers[name] = value
    return response


def _refused(error: JobsError) -> Response:
    response = _json(answers.error(error.code, error.message, g.request_id), error.status)
    if error.retry_after_seconds is not None:
        response.headers["Retry-After"] = str(error.retry_after_seconds)
    return response


def _http(error: HTTPException) -> Response:
    status, message = error.code or 500, error.description or error.name
    if isinstance(error, RequestEntityTooLarge):
        message = "the body is larger than what a prediction may have"
    response = _json(answers.error("BAD_REQUEST", message, g.request_id), status)
    for name, value in error.get_headers():
        if name == "Allow":
            response.headers[name] = value
    return response


def _bug(error: Exception) -> Response:
    log.critical("unexpected error", exc_info=error, extra={"request_id": g.request_id})
    text = "the server failed; its log has the trace under this request id"
    return _json(answers.error("INTERNAL_ERROR", text, g.request_id), 500)

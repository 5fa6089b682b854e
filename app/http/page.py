"""`/`: a page to try a model in for a browser, and what there is for everyone else.

It is plain HTML of one answer: no script at all, so its policy forbids every one, and a model's or a column's name
that is meant to do harm does nothing even where escaping failed. The form comes back to this address, so that the
answer stands beside what was asked.
"""

import base64
import hashlib
import logging
import time
from pathlib import Path
from typing import Any

from flask import Blueprint, Response, jsonify, make_response, render_template, request
from markupsafe import Markup

from app.core import inputs, rows
from app.core.body import FORM, JSON
from app.core.deployment import ModelVersion
from app.core.errors import BadInputError, ModelFailedError, ServingError, UnknownModelError
from app.core.meters import kind
from app.http import about, bodies, page_facts, page_form
from app.http.page_answer import Answer, answer, curl
from app.http.state import record, serving

STYLE = (Path(__file__).parent / "templates" / "style.css").read_text()
_HASH = base64.b64encode(hashlib.sha256(STYLE.encode()).digest()).decode()
POLICY = (
    f"default-src 'none'; style-src 'sha256-{_HASH}'; img-src data:; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
HEADERS = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
}

routes = Blueprint("page", __name__)
log = logging.getLogger(__name__)


@routes.get("/")
def index() -> Response:
    if request.accept_mimetypes.best_match(["application/json", "text/html"]) == "text/html":
        response = _page(*_chosen())
    else:
        names = [model.name for model in serving().deployment.models]
        response = jsonify({"service": "slipway", "deployment": serving().deployment.id, "models": names})
    response.vary.add("Accept")
    return response


@routes.post("/")
def predict() -> Response:
    """A row by the fields of the form, or with `as=json` a body of /invocations in one field."""
    model, problem = _chosen()
    if model is None or problem is not None:
        return _page(model, problem)
    record().model = model
    as_json, body = request.args.get("as") == "json", ""
    facts: dict[str, Any] = {"as_json": as_json}
    try:
        loaded = serving().model(model)
        content = bodies.read()
        facts["given"] = _given(content)
        if as_json:
            body = facts["given"].get("json", "")
            facts["body"] = body
        facts["answer"] = _answer(loaded, content, body, as_json=as_json)
    except ServingError as error:
        return _page(model, error, **facts)
    return _page(model, None, **facts)


def _answer(loaded: Any, content: bytes, body: str, *, as_json: bool) -> Answer:
    facts, metadata = record(), loaded.pyfunc.metadata
    started = time.monotonic()
    if as_json:
        given = inputs.invocation(body.encode(), JSON, metadata)
    else:
        given = rows.rows(content, request.content_type, metadata)
    facts.parse_seconds = time.monotonic() - started
    facts.rows = given.rows
    predictions = serving().predict(loaded, given, facts.timings)
    labelled = serving().probabilities(loaded, given, facts.timings)
    address = request.host_url
    return answer(rows.answer(predictions, labelled), curl(address, loaded.version.name, given, body))


def _given(content: bytes) -> dict[str, str]:
    """What was sent, to show it again; what is wrong with it is for the readers of `rows` to say."""
    if request.mimetype != FORM:
        return {}
    try:
        return page_form.sent(content)
    except ValueError as error:
        raise BadInputError(f"the body is not a form: {error}") from error


def _chosen() -> tuple[ModelVersion | None, ServingError | None]:
    """The model that the query names, the default one, or the first; none for an unknown name."""
    name = request.args.get("model")
    if name is not None:
        try:
            return serving().version(name), None
        except UnknownModelError as error:
            return None, error
    models = serving().deployment.models
    if not models and request.method == "POST":
        return None, UnknownModelError("this deployment has no model")
    return serving().default() or next(iter(models), None), None


def _page(model: ModelVersion | None, problem: ServingError | None, **facts: Any) -> Response:
    if problem is not None:
        _note(problem)
    here = serving()
    content = render_template(
        "page.html",
        style=Markup(STYLE),  # noqa: S704 - our own file
        models=about.models(here),
        deployment=here.deployment.id,
        build=about.build(here),
        model=model,
        problem=problem.message if problem else None,
        request_id=record().request_id,
        queue_seconds=record().timings.queue,
        predict_seconds=record().timings.predict,
        **(page_facts.of(here, model, problem, facts) if model else {}),
    )
    response = make_response(content, problem.status if problem else 200)
    response.headers.update(HEADERS)
    if problem is not None and problem.retry_after_seconds is not None:
        response.headers["Retry-After"] = str(problem.retry_after_seconds)
    return response


def _note(error: ServingError) -> None:
    record().error, record().kind = error.code, kind(error)
    if isinstance(error, ModelFailedError):
        log.error("model failed", exc_info=error, extra={"request_id": record().request_id})


@routes.app_template_filter("short")
def short(value: float) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)


@routes.app_template_filter("milliseconds")
def milliseconds(seconds: float) -> str:
    return f"{seconds * 1000:.3g} ms" if seconds < 1 else f"{seconds:.3g} s"

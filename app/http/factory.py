"""The application factory: a Flask application around one `Serving`, which it does not start."""

from pathlib import Path

from flask import Flask

from app.core.serving import Serving
from app.http import access, errors, later, metrics, openapi, openinference, operations, page, predictions, relay
from contract import HTTP

TEMPLATES = str(Path(__file__).parent / "templates")


def create_app(serving: Serving) -> Flask:
    """`serving.start()` is the caller's, after the fork: a thread does not survive it."""
    app = Flask("app", static_folder=None, template_folder=TEMPLATES)
    app.config["MAX_CONTENT_LENGTH"] = HTTP.body_bytes
    app.url_map.merge_slashes = False  # a redirect would lose the body of a POST
    app.json.sort_keys = False  # type: ignore[attr-defined]
    app.extensions["slipway"] = serving
    access.register(app)
    errors.register(app)
    later.register(app)
    relay.register(app)
    app.register_blueprint(operations.routes)
    app.register_blueprint(metrics.routes)
    app.register_blueprint(page.routes)
    app.register_blueprint(predictions.routes)
    app.register_blueprint(openinference.routes)
    app.register_blueprint(openapi.routes)
    return app

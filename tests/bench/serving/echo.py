"""gunicorn's settings of a bare echo: Slipway's own, and a site that answers each POST with its body.

What is left is the worker class alone: HTTP read and written on its event loop, no model, no JSON. How far a prediction
is from it is what the rest of the server costs. It must come after app.gunicorn_config, which prepares the environment.
"""

from importlib import import_module
from typing import Any

from app.gunicorn_config import *  # noqa: F403

_site: Any = import_module("app.loop.site").Site
_answer: Any = import_module("app.loop.message").Answer
_handle = _site.handle


def _echo(site: Any, request: Any, connection: Any) -> None:
    """Everything else, like readiness, stays Flask's."""
    if request.method != b"POST":
        _handle(site, request, connection)
        return
    connection.answer(request, _answer(200, b"Content-Type: application/json\r\n", bytes(request.body)))


_site.handle = _echo

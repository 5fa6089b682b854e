"""Refuses requests for an answer later: where asynchronous predictions are on, Nginx sends them elsewhere.

Answering at once would be worse than a clear error: who asks for a job reads an answer as one.
"""

from flask import Flask, request

from app.core.errors import NoJobsError
from app.core.meters import SERVER
from app.http.access import protocol

PREFERENCE = "respond-async"
MESSAGE = (
    "asynchronous predictions are off in this stack (its setting slipway:jobs): "
    "ask without ?async=true and without Prefer: respond-async"
)


def register(app: Flask) -> None:
    app.before_request(_refuse)


def _refuse() -> None:
    """Raises `NoJobsError`."""
    if request.method == "POST" and _asked() and protocol("POST", request.path) != SERVER:
        raise NoJobsError(MESSAGE)


def _asked() -> bool:
    """`?async=true`, or `Prefer: respond-async` (RFC 7240)."""
    if request.query_string and request.args.get("async", "").lower() == "true":
        return True
    preferences = (each.partition(";")[0].strip().lower() for each in request.headers.get("Prefer", "").split(","))
    return PREFERENCE in preferences

"""Errors of predictions that were made outside Flask: raised again inside, so that one place renders and logs them all.

The event loop answers plain predictions itself, and hands those that failed to the application with their outcome.
"""

from dataclasses import dataclass

from flask import Flask, request

from app.core.batch import Call
from app.http.state import record

KEY = "slipway.outcome"


@dataclass(frozen=True)
class Outcome:
    """A call that has an error, and what else its request's record needs."""

    call: Call
    request_id: str
    parse_seconds: float


def register(app: Flask) -> None:
    app.before_request(_raise)


def _raise() -> None:
    outcome = request.environ.get(KEY)
    if outcome is None:
        return
    assert isinstance(outcome, Outcome)
    facts = record()
    facts.request_id, facts.parse_seconds = outcome.request_id, outcome.parse_seconds
    facts.model, facts.rows, facts.timings = outcome.call.lane.model.version, outcome.call.rows, outcome.call.timings
    outcome.call.answer()

"""What a request handler may reach: this worker's `Serving`, and the request's record, which becomes its log line."""

import time
from dataclasses import dataclass, field

from flask import current_app, g

from app.core.deployment import ModelVersion
from app.core.serving import Serving, Timings


@dataclass
class Record:
    """Facts of one request; never its payload."""

    request_id: str
    started: float = field(default_factory=time.monotonic)
    model: ModelVersion | None = None
    rows: int | None = None
    parse_seconds: float = 0.0
    timings: Timings = field(default_factory=Timings)
    error: str | None = None
    kind: str | None = None  # of the error, for the meters


def serving() -> Serving:
    found = current_app.extensions["slipway"]
    assert isinstance(found, Serving)
    return found


def record() -> Record:
    found = g.record
    assert isinstance(found, Record)
    return found

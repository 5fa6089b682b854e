"""Errors that the loop answers itself, with the body that Flask's handler would give them (`app/http/errors.py`)."""

import json
from typing import Any

from app.core.errors import ServingError
from app.loop.message import Answer, Request


class HttpError(ServingError):
    """A request that is wrong as HTTP, before anything is known of its protocol."""

    code = "BAD_REQUEST"

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status  # type: ignore[misc]


def refusal(request: Request, error: ServingError, request_id: str, lines: bytes) -> Answer:
    """`lines` are the headers that every answer has."""
    if error.retry_after_seconds is not None:
        lines += b"Retry-After: %d\r\n" % error.retry_after_seconds
    body = json.dumps(shape(request.path, error, request_id), separators=(",", ":")) + "\n"
    return Answer(error.status, lines, body.encode())


def shape(path: bytes, error: ServingError, request_id: str) -> dict[str, Any]:
    """What the protocol of this path calls an error."""
    if path.endswith(b"/invocations"):
        return {"error_code": error.code, "message": error.message, "request_id": request_id}
    if path == b"/v2" or path.startswith(b"/v2/"):
        return {"error": error.message}
    return {"error": {"code": error.code, "message": error.message, "request_id": request_id}}

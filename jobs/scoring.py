"""Asks the model server of this node, over its Unix socket and a connection kept for each thread.

The socket is a link that a rollout moves: the server behind it drains and says so, and the next connection is to the
new one.
"""

import http.client
import json
import socket
import threading
from dataclasses import dataclass
from pathlib import Path

from contract import HEADERS, HTTP

ANSWER_SECONDS = HTTP.nginx_read_seconds
CONNECT_SECONDS = 5


class UnavailableError(Exception):
    """Nobody took the request: it has cost the job nothing. Ask again."""


class BrokenError(Exception):
    """The server took the request and gave no answer: it may be the job that breaks it."""


@dataclass(frozen=True)
class Answer:
    status: int
    body: bytes
    content_type: str
    deployment: str | None
    model: str | None


class _Connection(http.client.HTTPConnection):
    def __init__(self, path: Path) -> None:
        super().__init__("localhost")
        self._path = path

    def connect(self) -> None:
        """Leaves no socket behind that is not connected: it would be taken for a kept connection."""
        made = socket.socket(socket.AF_UNIX)
        try:
            made.settimeout(CONNECT_SECONDS)
            made.connect(str(self._path))
            made.settimeout(ANSWER_SECONDS)
        except OSError:
            made.close()
            raise
        self.sock = made


class ModelServer:
    def __init__(self, path: Path) -> None:
        self._path = path
        self._kept = threading.local()

    def ask(self, target: str, headers: str, body: bytes, request_id: str) -> Answer:
        """Raises `UnavailableError` or `BrokenError`."""
        sent = {**json.loads(headers), HEADERS.request_id: request_id}
        kept: _Connection | None = getattr(self._kept, "connection", None)
        if kept is not None and kept.sock is not None:
            try:
                return self._over(kept, target, sent, body)
            except http.client.RemoteDisconnected:
                pass  # it was closed while it was idle: the request has not been read
            except (ConnectionResetError, BrokenPipeError):
                pass
            except (OSError, http.client.HTTPException) as error:
                raise BrokenError(_line(error)) from error
        self._kept.connection = fresh = _Connection(self._path)
        try:
            fresh.connect()
        except OSError as error:
            raise UnavailableError(_line(error)) from error
        try:
            return self._over(fresh, target, sent, body)
        except (OSError, http.client.HTTPException) as error:
            raise BrokenError(_line(error)) from error

    def _over(self, connection: _Connection, target: str, headers: dict[str, str], body: bytes) -> Answer:
        try:
            connection.request("POST", target, body, headers)
            answer = connection.getresponse()
            content = answer.read()
        except (OSError, http.client.HTTPException):
            connection.close()
            raise
        if answer.status == http.HTTPStatus.SERVICE_UNAVAILABLE:
            raise UnavailableError("the model server is not ready, or has too much to do")
        kind = answer.headers.get("Content-Type", "application/octet-stream")
        served = answer.headers.get(HEADERS.deployment), answer.headers.get(HEADERS.model)
        return Answer(answer.status, content, kind, *served)


def _line(error: Exception) -> str:
    return f"no answer from the model server: {type(error).__name__}: {error}"[:300]

"""The AWS API as an HTTP server: moto's dispatcher on sockets that the caller made.

The sockets come from outside because one of them listens inside the machines' network namespace.
"""

import json
import socket
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app

from localcloud import gaps
from localcloud.api.http import Environ, Server
from localcloud.api.lock import MOTO

IDENTITY_PATH = "/slipway/localcloud"

StartResponse = Callable[..., Any]


class ApiServer:
    """`checkout` is answered at `GET /slipway/localcloud`, by which the provider knows a local cloud from AWS."""

    def __init__(self, sockets: Sequence[socket.socket], checkout: str = "") -> None:
        gaps.install()
        self._checkout = checkout
        self._moto = DomainDispatcherApplication(create_backend_app)
        self._servers = [Server(listening, self) for listening in sockets]

    def start(self) -> None:
        for server in self._servers:
            server.start()

    def stop(self) -> None:
        for server in self._servers:
            server.stop()

    def __call__(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        if environ["PATH_INFO"] == IDENTITY_PATH:
            return self._identity(start_response)
        with MOTO:
            return list(self._moto(environ, start_response))

    def _identity(self, start_response: StartResponse) -> Iterable[bytes]:
        start_response("200 OK", [("Content-Type", "application/json")])
        return [json.dumps({"slipway": "localcloud", "checkout": self._checkout}).encode()]

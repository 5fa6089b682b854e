"""The metadata service's HTTP side, on a socket that listens inside the machines' namespace.

Refusals are EC2's: 401 without a valid token, 403 when the endpoint is off or a token request came through a proxy
(`X-Forwarded-For`). A hop limit cannot be enforced here: there is no hop between a machine and the bridge.
"""

import logging
import socket
import sys
import threading
import time
from collections.abc import Callable
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ipaddress import IPv4Address
from typing import Any
from urllib.parse import unquote, urlsplit

from localcloud.imds.metadata import VERSIONS, find, tree
from localcloud.imds.session import MAX_TTL_SECONDS, Credentials, Tokens
from localcloud.model import Instance, World

log = logging.getLogger("localcloud.imds")

TOKEN_PATH = "/latest/api/token"  # noqa: S105  a path, no secret
TTL_HEADER = "X-aws-ec2-metadata-token-ttl-seconds"
TOKEN_HEADER = "X-aws-ec2-metadata-token"  # noqa: S105  a header's name
SNAPSHOT_SECONDS = 0.5
HERE = ("pending", "running", "stopping", "shutting-down")


class RefusedError(Exception):
    """An answer without content."""

    def __init__(self, status: HTTPStatus) -> None:
        super().__init__(status.phrase)
        self.status = status


class Service:
    """What is answered to whom, free of HTTP."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._tokens = Tokens()
        self._credentials = Credentials(world.role_credentials)
        self._lock = threading.Lock()
        self._callers: dict[IPv4Address, Instance] = {}
        self._read_at = float("-inf")

    def caller(self, address: str) -> Instance:
        """The instance at `address`. Records are read at most twice a second: a boot asks dozens of times."""
        key = IPv4Address(address)
        with self._lock:
            if time.monotonic() - self._read_at > SNAPSHOT_SECONDS:
                instances = self._world.instances()
                self._callers = {each.private_ip: each for each in instances if each.state in HERE}
                self._read_at = time.monotonic()
            instance = self._callers.get(key)
        if instance is None:
            raise RefusedError(HTTPStatus.NOT_FOUND)
        if instance.http_endpoint == "disabled":
            raise RefusedError(HTTPStatus.FORBIDDEN)
        return instance

    def token(self, instance: Instance, ttl: str | None, forwarded_for: str | None) -> str:
        if forwarded_for is not None:
            raise RefusedError(HTTPStatus.FORBIDDEN)
        if ttl is None or not ttl.isdecimal() or not 1 <= int(ttl) <= MAX_TTL_SECONDS:
            raise RefusedError(HTTPStatus.BAD_REQUEST)
        return self._tokens.issue(instance.id, int(ttl))

    def read(self, instance: Instance, path: str, token: str | None) -> bytes:
        """The content at `path` (with its version). Raises `RefusedError`."""
        if token is None and instance.http_tokens == "required":
            raise RefusedError(HTTPStatus.UNAUTHORIZED)
        if token is not None and not self._tokens.valid(token, instance.id):
            raise RefusedError(HTTPStatus.UNAUTHORIZED)
        version, _, rest = path.removeprefix("/").partition("/")
        if not version:
            return "\n".join(VERSIONS).encode()
        if version not in VERSIONS:
            raise RefusedError(HTTPStatus.NOT_FOUND)
        content = self._content(instance, rest)
        if content is None:
            raise RefusedError(HTTPStatus.NOT_FOUND)
        return content

    def _content(self, instance: Instance, rest: str) -> bytes | None:
        if rest.strip("/") == "user-data":
            return instance.user_data or None
        if not rest:
            return b"dynamic\nmeta-data\nuser-data" if instance.user_data else b"dynamic\nmeta-data"
        text = find(tree(instance, lambda: self._credentials.get(instance.role_arn or "", instance.id)), rest)
        return None if text is None else text.encode()


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    timeout = 15
    server: "Server"

    def do_PUT(self) -> None:
        def issue(instance: Instance) -> bytes:
            if urlsplit(self.path).path != TOKEN_PATH:
                raise RefusedError(HTTPStatus.NOT_FOUND)
            ttl, forwarded = self.headers.get(TTL_HEADER), self.headers.get("X-Forwarded-For")
            return self.server.service.token(instance, ttl, forwarded).encode()

        # A body would be taken for the next request: none is expected, so the connection ends with the answer.
        self.close_connection = True
        self._answer(issue)

    def do_GET(self) -> None:
        path, token = unquote(urlsplit(self.path).path), self.headers.get(TOKEN_HEADER)
        self._answer(lambda instance: self.server.service.read(instance, path, token))

    def do_HEAD(self) -> None:
        self.do_GET()

    def _answer(self, act: Callable[[Instance], bytes]) -> None:
        try:
            content, status = act(self.server.service.caller(self.client_address[0])), HTTPStatus.OK
        except RefusedError as refusal:
            content, status = b"", refusal.status
        self.send_response(status)
        self.send_header("Content-Type", "text/plain")
        self.send_header("Content-Length", str(len(content)))
        if ttl := self.headers.get(TTL_HEADER):
            self.send_header(TTL_HEADER, ttl)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)

    def version_string(self) -> str:
        return "EC2ws"

    def log_message(self, format: str, *args: Any) -> None:
        log.info("%s %s", self.client_address[0], format % args)


class Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, service: Service, listening: socket.socket) -> None:
        super().__init__(listening.getsockname(), Handler, bind_and_activate=False)
        self.socket.close()
        self.socket = listening
        self.service = service

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A machine that hangs up in mid-answer is no error of ours; anything else shows its traceback."""
        if not isinstance(sys.exc_info()[1], ConnectionError | TimeoutError):
            super().handle_error(request, client_address)


class ImdsServer:
    """Serves on `listen`, a TCP socket that listens already."""

    def __init__(self, world: World, listen: socket.socket) -> None:
        self._server = Server(Service(world), listen)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.2,), name="imds", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(timeout=5)

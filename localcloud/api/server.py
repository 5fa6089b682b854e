"""The AWS API as an HTTP server: who calls, may they, moto's answer, and a line in the record.

The sockets come from outside because one of them listens inside the machines' network namespace.
Moto is one set of dictionaries, so one request at a time is inside it; bodies are read and written outside the lock.
"""

import io
import json
import logging
import socket
import threading
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

from moto.core.utils import get_service_model
from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app

from localcloud import gaps
from localcloud.api import access, actions, callers, errors
from localcloud.api.actions import Call
from localcloud.api.calls import CallRecord
from localcloud.api.errors import Answer
from localcloud.api.http import Environ, Server
from localcloud.api.lock import MOTO
from localcloud.api.s3_actions import Request
from localcloud.gaps.settings import ACCOUNT

log = logging.getLogger("localcloud.api")

IDENTITY_PATH = "/slipway/localcloud"
# Each service's first call loads its models, up to a second of work: done while nobody waits. Names as in a signature.
WARM = ("ec2", "iam", "sts", "s3", "elasticloadbalancing", "autoscaling", "rds", "ssm", "secretsmanager", "kms")
SCOPE = "AWS4-HMAC-SHA256 Credential=warm/20260101/us-east-1/{}/aws4_request, "
READ_BODIES = ("application/x-www-form-urlencoded", "application/x-amz-json", "application/json")

StartResponse = Callable[..., Any]


class ApiServer:
    """`checkout` is answered at `GET /slipway/localcloud`, by which the provider knows a local cloud from AWS."""

    def __init__(self, sockets: Sequence[socket.socket], checkout: str = "", record: Path | None = None) -> None:
        gaps.install()
        self._checkout = checkout
        self._record = CallRecord(record)
        self._moto = DomainDispatcherApplication(create_backend_app)
        self._servers = [Server(listening, self) for listening in sockets]

    def start(self) -> None:
        for server in self._servers:
            server.start()
        threading.Thread(target=self._warm, name="api-warm", daemon=True).start()

    def stop(self) -> None:
        for server in self._servers:
            server.stop()

    def _warm(self) -> None:
        for service in WARM:
            with MOTO:
                environ = {"PATH_INFO": "/", "HTTP_HOST": "localhost", "HTTP_AUTHORIZATION": SCOPE.format(service)}
                self._moto.get_application(environ)
                get_service_model("elbv2" if service == "elasticloadbalancing" else service)

    def __call__(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        if environ["PATH_INFO"] == IDENTITY_PATH:
            body = json.dumps({"slipway": "localcloud", "checkout": self._checkout}).encode()
            status, headers = "200 OK", [("Content-Type", "application/json")]
        else:
            status, headers, body = self._answer(environ)
        start_response(status, headers)
        return [body]

    def _answer(self, environ: Environ) -> Answer:
        request = _request(environ)
        call = actions.read(request, ACCOUNT)
        caller = None
        with MOTO:
            try:
                call = access.about(call, ACCOUNT)
                caller = callers.identify(call.access_key, call.token, ACCOUNT)
                access.authorize(caller, call, ACCOUNT)
                answer = self._ask_moto(environ, request, call)
                if answer[0].startswith("404") and access.hides_absence(caller, call, ACCOUNT):
                    answer = errors.answer("denied", "Access Denied", request, call)
            except callers.UnknownCallerError as error:
                answer = errors.answer(error.code, str(error), request, call)
            except access.Denied as error:
                answer = errors.answer("denied", str(error), request, call)
        self._record.add(call, caller, int(answer[0].split()[0]), _error_of(answer))
        return answer

    def _ask_moto(self, environ: Environ, request: Request, call: Call) -> Answer:
        given: dict[str, Any] = {}

        def start_response(status: str, headers: list[tuple[str, str]], _exc: object = None) -> None:
            given.update(status=status, headers=headers)

        try:
            body = b"".join(self._moto(environ, start_response))
        except NotImplementedError as error:
            return errors.answer("unknown operation", f"The local cloud does not know it: {error}", request, call)
        except Exception as error:
            log.exception("%s:%s", call.service, call.operation)
            return errors.answer("fault", f"{type(error).__name__}: {error}", request, call)
        return given["status"], given["headers"], body


def _request(environ: Environ) -> Request:
    """The request as values. A body that holds parameters is read, and put back for moto; an object's is left alone."""
    headers = {
        name.removeprefix("HTTP_").replace("_", "-").lower(): str(value)
        for name, value in environ.items()
        if name.startswith("HTTP_") or name in ("CONTENT_TYPE", "CONTENT_LENGTH")
    }
    path, _, query_string = str(environ["RAW_URI"]).partition("?")
    query = dict(parse_qsl(query_string, keep_blank_values=True))
    method = str(environ["REQUEST_METHOD"])
    body = b""
    if headers.get("content-type", "").startswith(READ_BODIES) or (method == "POST" and "delete" in query):
        body = environ["wsgi.input"].read()
        environ["wsgi.input"] = io.BytesIO(body)
    return Request(method, path, query, headers, body)


def _error_of(answer: Answer) -> str:
    """The error's code, where the answer is one."""
    status, headers, body = answer
    if int(status.split()[0]) < 400:
        return ""
    kind = next((value for name, value in headers if name.lower() == "x-amzn-errortype"), "")
    if not kind and b"<Code>" in body:
        kind = body.partition(b"<Code>")[2].partition(b"</Code>")[0].decode()
    return kind or status

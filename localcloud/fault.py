"""Outages on purpose: an AWS service that `localcloud fault SERVICE down` switched off answers 503 to everyone.

A file per service in the state folder is the switch, so that the command needs no way into the daemon.
"""

import re
from collections.abc import Callable, Iterable
from typing import Any

from localcloud.api.server import ApiServer
from localcloud.state import State

# In the Authorization header, or in the query of a presigned address: AKIA…/20260101/us-east-1/s3/aws4_request
SCOPE = re.compile(r"Credential=[^/&,]+(?:/|%2F)\d{8}(?:/|%2F)[^/&,%]+(?:/|%2F)([a-z0-9-]+)(?:/|%2F)aws4_request")
BODY = b'{"__type": "ServiceUnavailable", "message": "switched off by `localcloud fault`"}'


class FaultyApi(ApiServer):
    """The API, but for the services that are down."""

    def __init__(self, *arguments: Any, state: State, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._state = state

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        name = service(environ)
        if name and (self._state.faults / name).exists():
            start_response("503 Service Unavailable", [("Content-Type", "application/x-amz-json-1.1")])
            return [BODY]
        return super().__call__(environ, start_response)


def service(environ: dict[str, Any]) -> str:
    """The service that a signed request is for, as its signature's scope says; empty without a signature."""
    signed = f"{environ.get('HTTP_AUTHORIZATION', '')} {environ.get('QUERY_STRING', '')}"
    found = SCOPE.search(signed)
    return found.group(1) if found else ""


def switch(state: State, name: str, down: bool) -> None:
    state.faults.mkdir(mode=0o700, exist_ok=True)
    if down:
        (state.faults / name).touch()
    else:
        (state.faults / name).unlink(missing_ok=True)

"""Outages on purpose: an AWS service that `localcloud fault SERVICE down` switched off answers 503 to everyone.

A file per service in the state folder is the switch, so that the command needs no way into the daemon.
"""

import re
from collections.abc import Mapping
from typing import Any

from localcloud.state import State

# In the Authorization header, or in the query of a presigned address: AKIA…/20260101/us-east-1/s3/aws4_request
SCOPE = re.compile(r"Credential=[^/&,]+(?:/|%2F)\d{8}(?:/|%2F)[^/&,%]+(?:/|%2F)([a-z0-9-]+)(?:/|%2F)aws4_request")
BODY = b'{"__type": "ServiceUnavailable", "message": "switched off by `localcloud fault`"}'


def refused(state: State, environ: Mapping[str, Any]) -> bool:
    """Whether a request is for a service that is down."""
    name = service(environ)
    return bool(name) and (state.faults / name).exists()


def service(environ: Mapping[str, Any]) -> str:
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

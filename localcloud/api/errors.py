"""AWS's errors in the shape of each protocol, for what is answered here and not by moto."""

import json
import uuid
from xml.sax.saxutils import escape

from localcloud.api.actions import Call
from localcloud.api.s3_actions import Request

Answer = tuple[str, list[tuple[str, str]], bytes]

# kind -> protocol -> (HTTP status, error code)
CODES: dict[str, dict[str, tuple[str, str]]] = {
    "denied": {
        "s3": ("403 Forbidden", "AccessDenied"),
        "ec2": ("403 Forbidden", "UnauthorizedOperation"),
        "query": ("403 Forbidden", "AccessDenied"),
        "json": ("400 Bad Request", "AccessDeniedException"),
    },
    "InvalidClientTokenId": {
        "s3": ("403 Forbidden", "InvalidAccessKeyId"),
        "ec2": ("401 Unauthorized", "AuthFailure"),
        "query": ("403 Forbidden", "InvalidClientTokenId"),
        "json": ("400 Bad Request", "UnrecognizedClientException"),
    },
    "ExpiredToken": {
        "s3": ("400 Bad Request", "ExpiredToken"),
        "ec2": ("400 Bad Request", "RequestExpired"),
        "query": ("403 Forbidden", "ExpiredToken"),
        "json": ("400 Bad Request", "ExpiredTokenException"),
    },
    "unknown operation": {
        "s3": ("501 Not Implemented", "NotImplemented"),
        "ec2": ("400 Bad Request", "InvalidAction"),
        "query": ("400 Bad Request", "InvalidAction"),
        "json": ("400 Bad Request", "UnknownOperationException"),
    },
    "fault": {
        "s3": ("500 Internal Server Error", "InternalError"),
        "ec2": ("500 Internal Server Error", "InternalError"),
        "query": ("500 Internal Server Error", "InternalFailure"),
        "json": ("500 Internal Server Error", "InternalFailure"),
    },
}
XML = {
    "s3": "<Error><Code>{code}</Code><Message>{message}</Message><RequestId>{id}</RequestId></Error>",
    "ec2": (
        "<Response><Errors><Error><Code>{code}</Code><Message>{message}</Message></Error></Errors>"
        "<RequestID>{id}</RequestID></Response>"
    ),
    "query": (
        "<ErrorResponse><Error><Type>Sender</Type><Code>{code}</Code><Message>{message}</Message></Error>"
        "<RequestId>{id}</RequestId></ErrorResponse>"
    ),
}
REST_XML = {"route53", "cloudfront", "s3control"}


def protocol(request: Request, call: Call) -> str:
    if call.service in ("s3", "ec2"):
        return call.service
    form = request.headers.get("content-type", "").startswith("application/x-www-form-urlencoded")
    return "query" if form or call.service in REST_XML or "Action" in request.query else "json"


def answer(kind: str, message: str, request: Request, call: Call) -> Answer:
    style = protocol(request, call)
    status, code = CODES[kind][style]
    request_id = str(uuid.uuid4())
    headers = [("x-amzn-RequestId", request_id), ("x-amz-request-id", request_id)]
    if style == "json":
        body = json.dumps({"__type": code, "message": message, "Message": message})
        return (
            status,
            [*headers, ("Content-Type", "application/x-amz-json-1.1"), ("x-amzn-ErrorType", code)],
            body.encode(),
        )
    text = XML[style].format(code=code, message=escape(message), id=request_id)
    content = b"" if request.method == "HEAD" else f'<?xml version="1.0" encoding="UTF-8"?>\n{text}'.encode()
    return status, [*headers, ("Content-Type", "text/xml")], content

"""From a connection's bytes to whole requests: llhttp's events, and the limits that it does not know.

What is wrong with a request is not raised but becomes the connection's last request, which is answered in its turn.
"""

from collections import deque

import httptools

from app.loop.limits import Limits
from app.loop.message import Headers, Request

VERSIONS = ("1.0", "1.1")

Refusal = tuple[int, str]


class RefusedError(Exception):
    """Ends the parsing; `refuse` has said why."""


class Receiver:
    """`deaf`: nothing more will be understood. `stage` counts the times that the client came a step further."""

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self.ready: deque[Request] = deque()
        self.coming: Request | None = None
        self.wants_continue = False
        self.deaf = False
        self.stage = 0
        self._parser = httptools.HttpRequestParser(self)
        self._in_body = False
        self._header_bytes = 0
        self._headers: Headers = []  # of the coming request
        self._header_bytes_at_most, self._header_fields_at_most = limits.header_bytes, limits.header_fields

    def feed(self, data: bytes) -> None:
        if self.deaf:
            return
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade:  # what follows is of another protocol, that nobody here speaks
            self.deaf = True
            if self.ready:
                self.ready[-1].keep_alive = False
        except httptools.HttpParserCallbackError as error:
            if not isinstance(error.__context__, RefusedError):
                raise
        except httptools.HttpParserError:
            self.refuse(400, "the request is not valid HTTP")
        if self.coming is not None and not self._in_body:
            self._header_bytes += len(data)
            if self._header_bytes > self._header_bytes_at_most:
                self._refuse_header_bytes()

    def refuse(self, status: int, reason: str) -> None:
        """The last request of this connection, answered without being served."""
        refused, self.coming = self.coming or Request(), None
        refused.refusal = (status, reason)
        self._last(refused)

    def _last(self, request: Request) -> None:
        request.keep_alive = False
        self.ready.append(request)
        self.deaf = True

    def close(self) -> None:
        """Drops what is here, and the parser, which refers back to this."""
        self.deaf = True
        self.ready.clear()
        if hasattr(self, "_parser"):
            del self._parser

    # What llhttp calls

    def on_message_begin(self) -> None:
        self.coming = coming = Request()
        self._headers = coming.headers
        self._in_body = self.wants_continue = False
        self._header_bytes = 0
        self.stage += 1

    def on_url(self, target: bytes) -> None:
        coming = self._coming()
        coming.target += target
        if len(coming.target) > self.limits.target_bytes:
            self.refuse(414, f"the address is longer than {self.limits.target_bytes} bytes")
            raise RefusedError

    def on_header(self, name: bytes, value: bytes) -> None:
        self._header_bytes += len(name) + len(value) + 4
        if self._header_bytes > self._header_bytes_at_most:
            self._refuse_header_bytes()
            raise RefusedError
        if not self._in_body:  # else it is a trailer
            headers = self._headers
            headers.append((name.lower(), value))
            if len(headers) > self._header_fields_at_most:
                self.refuse(431, f"there are more than {self.limits.header_fields} headers")
                raise RefusedError

    def _refuse_header_bytes(self) -> None:
        self.refuse(431, f"the headers are larger than {self.limits.header_bytes} bytes")

    def on_headers_complete(self) -> None:
        coming = self._coming()
        coming.method, coming.version = self._parser.get_method(), self._parser.get_http_version()
        self._in_body = True
        self._header_bytes = 0
        self.stage += 1
        wrong, length, expected = examine(coming)
        if wrong is not None:
            self.refuse(*wrong)
            raise RefusedError
        if length > self.limits.body_bytes:
            self._too_large(length)
        self.wants_continue = expected and coming.version != "1.0"

    def on_body(self, data: bytes) -> None:
        coming = self._coming()
        if not coming.body:
            coming.body = data
        else:
            if type(coming.body) is bytes:
                coming.body = bytearray(coming.body)
            coming.body += data
        if len(coming.body) > self.limits.body_bytes:
            self._too_large(len(coming.body))

    def on_message_complete(self) -> None:
        coming, self.coming = self._coming(), None
        coming.keep_alive = self._parser.should_keep_alive()
        self.wants_continue = False
        self.ready.append(coming)

    def _too_large(self, length: int) -> None:
        """Flask refuses it by its length, in the shape of the protocol that was spoken."""
        coming, self.coming = self._coming(), None
        coming.too_large, coming.body = length, b""
        self._last(coming)
        raise RefusedError

    def _coming(self) -> Request:
        assert self.coming is not None, "llhttp calls in order"
        return self.coming


def examine(request: Request) -> tuple[Refusal | None, int, bool]:
    """What is wrong with the headers, the declared length of the body, whether 100 Continue is awaited."""
    length, expected, hosts = 0, False, 0
    for name, value in request.headers:
        if name == b"content-length":
            length = int(value)  # llhttp took nothing but digits
        elif name == b"transfer-encoding" and (value.lower() != b"chunked" or request.version == "1.0"):
            return (501, "no Transfer-Encoding is taken but chunked, over HTTP/1.1"), 0, False
        elif name == b"expect":
            if value.lower() != b"100-continue":
                return (417, "nothing can be expected but 100-continue"), 0, False
            expected = True
        elif name == b"host":
            hosts += 1
    if request.version not in VERSIONS:
        return (505, f"HTTP/{request.version} is not spoken here"), 0, False
    if hosts > 1 or (hosts == 0 and request.version == "1.1"):
        return (400, "the request must have one Host header"), 0, False
    return None, length, expected

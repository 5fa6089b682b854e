"""A request as it came off the wire, and an answer as the bytes that go out in one write."""

import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from email.utils import formatdate
from http import HTTPStatus
from typing import Any

STATUS = {status.value: f"HTTP/1.1 {status.value} {status.phrase}\r\n".encode() for status in HTTPStatus}
KEEP, CLOSE = b"Connection: keep-alive\r\n\r\n", b"Connection: close\r\n\r\n"
NO_BODY = frozenset({204, 304})

Headers = list[tuple[bytes, bytes]]


@dataclass(slots=True, eq=False)
class Request:
    """Header names are in lower case. `refusal`: the status and reason why it is answered without being served."""

    method: bytes = b""
    target: bytes = b""
    version: str = "1.1"
    headers: Headers = field(default_factory=list)
    body: bytes | bytearray = b""
    keep_alive: bool = False
    started: float = 0.0
    refusal: tuple[int, str] | None = None
    too_large: int = 0  # the length of a body that was not read because of it
    pending: Any = None  # whatever its handler keeps with it
    compare: bytes = b""  # the id to log its answer's digest under

    def header(self, name: bytes) -> bytes | None:
        return next((value for key, value in self.headers if key == name), None)

    @property
    def path(self) -> bytes:
        return self.target.partition(b"?")[0]


@dataclass(slots=True, eq=False)
class Answer:
    """`headers` are the wire's own lines, without those of the connection and the length."""

    status: int
    headers: bytes
    body: bytes
    length: int | None = None  # that of a HEAD's answer, whose body is not sent


def header_lines(headers: Iterable[tuple[str, str]]) -> bytes:
    """As they go over the wire, where a model's name may hold what a header cannot."""
    return "".join(f"{name}: {value}\r\n" for name, value in headers).encode("latin-1", "replace")


def encode(answer: Answer, request: Request, keep_alive: bool) -> bytes:
    if answer.status in NO_BODY:
        length, body = b"", b""
    else:
        size = len(answer.body) if answer.length is None else answer.length
        length, body = b"Content-Length: %d\r\n" % size, answer.body
    if request.method == b"HEAD":
        body = b""
    connection = KEEP if keep_alive else CLOSE
    return b"".join((STATUS[answer.status], date(), answer.headers, length, connection, body))


_date = (0, b"")


def date() -> bytes:
    """The Date line, made once a second."""
    global _date  # noqa: PLW0603
    now = int(time.time())
    if _date[0] != now:
        _date = (now, f"Date: {formatdate(now, usegmt=True)}\r\n".encode())
    return _date[1]

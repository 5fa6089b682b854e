"""A request for a prediction as a job: what of it the model server will be given, and what tells two requests apart."""

import hashlib
import re
import uuid
from collections.abc import Mapping
from urllib.parse import parse_qsl, urlencode

import orjson

from contract import HEADERS
from jobs.errors import BadRequestError

PREDICTIONS = re.compile(
    r"/invocations|/models/[^/]+/invocations|/predict(/[^/]+)?|/v2/models/[^/]+(/versions/[^/]+)?/infer"
)
ASYNC = "async"
PREFERENCE = "respond-async"
KEPT = ("Content-Type", "Content-Encoding", "Inference-Header-Content-Length", "Accept", HEADERS.key)
KEY = "Idempotency-Key"
KEY_LENGTH = 255
# An id that Nginx or a client chose is kept when it is safe in a header and in a log: the model server's own rule.
SAFE_ID = re.compile(r"[A-Za-z0-9._:/+=@-]{1,128}")


def target(path: str, query: str) -> str | None:
    """The address as the model server takes it, without our own parameter; None when nothing predicts there."""
    if not PREDICTIONS.fullmatch(path):
        return None
    rest = [(name, value) for name, value in parse_qsl(query, keep_blank_values=True) if name != ASYNC]
    return f"{path}?{urlencode(rest)}" if rest else path


def kept(headers: Mapping[str, str]) -> str:
    """The headers that the model server must see, as JSON."""
    return orjson.dumps({name: value for name in KEPT if (value := headers.get(name)) is not None}).decode()


def request_id(given: str) -> str:
    return given if SAFE_ID.fullmatch(given) else uuid.uuid4().hex


def idempotency_key(given: str | None) -> str | None:
    """Raises `BadRequestError` when it cannot be one."""
    if given is None:
        return None
    if not 0 < len(given) <= KEY_LENGTH or not given.isprintable():
        raise BadRequestError(f"{KEY} has {len(given)} characters, expected 1 to {KEY_LENGTH} printable ones")
    return given


def digest(address: str, headers: str, body: bytes) -> bytes:
    """Equal for requests that ask for the same."""
    whole = hashlib.sha256()
    for part in (address.encode(), headers.encode(), body):
        whole.update(len(part).to_bytes(8, "big") + part)
    return whole.digest()

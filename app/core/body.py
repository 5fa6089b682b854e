"""A request's bytes as text and JSON, more strictly than Python's own reader: what another reader could read otherwise
is refused by name. Two keys of one name, NaN, a number that turns into infinity, more nesting than is useful.
"""

import json
from codecs import BOM_UTF8
from email.message import Message
from typing import Any

from app.core.errors import BadInputError, TooLargeError, UnsupportedContentError

JSON = "application/json"
CSV = "text/csv"
FORM = "application/x-www-form-urlencoded"
MESSAGE_LENGTH = 1000

# Each empty list costs 60 bytes of memory and two of the body: without a limit, 16 MiB of them take half a gigabyte.
STRUCTURES_AT_MOST = 1_000_000

# Only a number with a three-digit exponent or a hundred digits can exceed a double. With every digit made a zero, the
# search for one costs a twentieth of what a regular expression does.
_DIGITS_TO_ZERO = bytes.maketrans(b"123456789E", b"000000000e")
_PERHAPS_INFINITE = (b"0e000", b"0" * 100)


def media_type(content_type: str | None, accepted: tuple[str, ...]) -> str:
    """The content type without its parameters; only UTF-8 is spoken, as in MLflow."""
    header = Message()
    header["content-type"] = content_type or "none"
    kind = header.get_content_type() if content_type else "none"
    if kind not in accepted:
        raise UnsupportedContentError(
            f"Content-Type is {shorten(content_type or 'missing')!r}, expected {' or '.join(accepted)}"
        )
    parameters = {str(name).lower(): value for name, value in header.get_params(failobj=[])[1:]}
    if str(parameters.pop("charset", "utf-8")).lower() not in ("utf-8", "utf8"):
        raise UnsupportedContentError(f"Content-Type is {shorten(content_type or '')!r}, expected charset utf-8")
    if parameters:
        raise UnsupportedContentError(f"Content-Type has unknown parameters: {', '.join(sorted(parameters))}")
    return kind


def text(body: bytes) -> str:
    if not body.strip():
        raise BadInputError("the body is empty")
    if body.startswith(BOM_UTF8):
        raise BadInputError("the body begins with a byte order mark, which is not JSON: leave it out")
    try:
        return body.decode("utf-8")
    except UnicodeDecodeError as error:
        byte = f"0x{body[error.start]:02x}"
        raise BadInputError(f"the body is not UTF-8: byte {byte} at position {error.start}") from error


def decode(body: bytes) -> Any:
    """Strict JSON (RFC 8259), each key once, each number finite."""
    content = text(body)
    structures = body.count(b"[") + body.count(b"{")
    if structures > STRUCTURES_AT_MOST:
        raise TooLargeError(f"the body holds {structures} lists and objects, at most {STRUCTURES_AT_MOST} are read")
    zeros = body.translate(_DIGITS_TO_ZERO, b"+")
    decoder = _STRICT if any(pattern in zeros for pattern in _PERHAPS_INFINITE) else _PLAIN
    try:
        return decoder.decode(content)
    except json.JSONDecodeError as error:
        raise BadInputError(f"the body is not JSON: {error.msg} at line {error.lineno} column {error.colno}") from error
    except RecursionError as error:
        raise BadInputError("the body is nested too deeply") from error
    except ValueError as error:
        raise BadInputError(f"the body holds a number with too many digits: {shorten(str(error))}") from error


def shorten(message: str) -> str:
    return message if len(message) <= MESSAGE_LENGTH else f"{message[:MESSAGE_LENGTH]} ..."


def json_type(value: Any) -> str:
    """How a message names what came."""
    names = {dict: "an object", list: "a list", str: "a string", bool: "a boolean", type(None): "null"}
    return "an empty list" if value == [] else names.get(type(value), "a number")


def _refuse_constant(name: str) -> Any:
    raise BadInputError(f"the body holds {name}, which is not JSON: write null for a missing value")


def _finite(digits: str) -> float:
    number = float(digits)
    if number in (float("inf"), float("-inf")):
        raise BadInputError(f"the body holds {digits[:40]}, which is too large for a 64-bit number")
    return number


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        seen: set[str] = set()
        twice = next(key for key, _ in pairs if key in seen or seen.add(key))  # type: ignore[func-returns-value]
        raise BadInputError(f"the body has the key {shorten(twice)!r} twice in one object")
    return found


_PLAIN = json.JSONDecoder(parse_constant=_refuse_constant, object_pairs_hook=_object)
_STRICT = json.JSONDecoder(parse_constant=_refuse_constant, object_pairs_hook=_object, parse_float=_finite)

"""The digest of what an answer means, by which a shadow's answers are compared with those of the deployment beside it.

Not of its bytes: two versions never answer a V2 request alike, and one model compiled and not compiled differs in the
last digits of its numbers.
"""

import hashlib
import json
from typing import Any

LARGEST_BYTES = 256 * 1024
"""Reading a larger answer again would hold up the others of its worker."""
DIGITS = 6
"""Of a number. Two that a rounding error sets apart are told apart only where a step lies between them."""
VOLATILE = frozenset({"model_version", "id", "request_id"})

_decoder = json.JSONDecoder()


def digest(body: bytes) -> str:
    """Of a JSON answer, with what binary data follows it; empty for any other, and for one that is too large."""
    if len(body) > LARGEST_BYTES or body[:1] not in (b"{", b"["):
        return ""
    try:
        value, end = _decoder.raw_decode(body.decode("latin-1"))
    except ValueError:
        return ""
    meaning = json.dumps(_meaning(value), sort_keys=True).encode()
    return hashlib.sha256(meaning + b"\n" + body[end:].strip()).hexdigest()[:16]


def _meaning(answer: Any) -> Any:
    """Without who answered whom: at the top, and of an error that is described one level deeper."""
    if not isinstance(answer, dict):
        return _rounded(answer)
    kept = {key: value for key, value in answer.items() if key not in VOLATILE}
    return {key: _meaning(value) if key == "error" else _rounded(value) for key, value in kept.items()}


def _rounded(value: Any) -> Any:
    if isinstance(value, float):
        return f"{value + 0.0:.{DIGITS}g}"
    if isinstance(value, list):
        return [_rounded(each) for each in value]
    if isinstance(value, dict):
        return {key: _rounded(each) for key, each in value.items()}
    return value

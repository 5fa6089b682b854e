"""A request's body as bytes, for the routes that predict."""

from flask import request

from app.core.errors import BadInputError, UnsupportedContentError


def read() -> bytes:
    """Raises UnsupportedContentError for a compressed one: a small body could then be any size once unpacked."""
    encoding = request.headers.get("Content-Encoding", "identity")
    if encoding.lower() != "identity":
        raise UnsupportedContentError(f"Content-Encoding is {encoding[:80]!r}, expected a body that is not compressed")
    try:
        return bytes(request.get_data(cache=False))
    except OSError as error:  # gunicorn's: a chunk that is no chunk, a client that went away
        raise BadInputError(f"the body cannot be read: {type(error).__name__}") from error

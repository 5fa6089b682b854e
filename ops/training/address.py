"""Where a training table is: an address of PostgreSQL, or a file. Imports nothing that takes time.

An address on a command line may hold no password, for everybody on the machine reads it there: libpq has its password
file and its environment for that.
"""

import os
from urllib.parse import parse_qsl, urlsplit

from ops.errors import UserError

VARIABLE = "SLIPWAY_TRAINING_DATA"
SCHEMES = ("postgresql", "postgres")
SECRETS = ("password", "sslpassword")


def given(pipeline: str) -> str | None:
    """What the environment says: of this pipeline, or else of all."""
    return os.environ.get(f"{VARIABLE}_{pipeline.upper()}") or os.environ.get(VARIABLE) or None


def is_address(data: str) -> bool:
    scheme, separator, _ = data.partition("://")
    return bool(separator) and scheme in SCHEMES


def shown(data: str) -> str:
    """As it may be written down: an address without user, password and query."""
    if not is_address(data):
        return data
    scheme, _, rest = data.partition("://")
    where, slash, name = rest.partition("?")[0].partition("/")
    return f"{scheme}://{where.rpartition('@')[2]}{slash}{name}"


def argument(data: str | None) -> str | None:
    """What an option says. Raises `UserError` when it holds a password."""
    if data and is_address(data) and _has_password(data):
        raise UserError(
            f"--data {shown(data)} holds a password, and arguments are no place for one",
            f"leave it to libpq: PGPASSFILE, or ?passfile=…; or put the address into {VARIABLE}",
        )
    return data


def _has_password(address: str) -> bool:
    try:
        parts = urlsplit(address)
        return parts.password is not None or any(key in SECRETS for key, _ in parse_qsl(parts.query))
    except ValueError:
        return "@" in address

"""What a node's jobs processes are told: one JSON file, written at boot by whoever knows the stack's secrets.

It is read again for each new connection to the broker, because a replaced broker has another address and password.
"""

import json
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from psycopg.conninfo import make_conninfo

VARIABLE = "SLIPWAY_JOBS_CONFIG"
DEFAULT = "/run/slipway-secrets/jobs.json"
CONNECT_SECONDS = 3
DEAD_PEER_MILLISECONDS = 10_000


class ConfigError(Exception):
    """The file is not there, or not what it should be. One line, for the operator."""


def processors() -> int:
    return len(os.sched_getaffinity(0))


@dataclass(frozen=True)
class Limits:
    """`concurrency` is of one worker process, `inline_bytes` what a row may hold before S3 does.

    Unless it is told, a worker asks for as many jobs at a time as there are processors: a prediction that somebody
    waits for would stand behind more.
    """

    retention_hours: int = 24
    attempts: int = 5
    queue: int = 100_000
    inline_bytes: int = 65_536
    concurrency: int = field(default_factory=processors)
    body_bytes: int = 16_777_216


@dataclass(frozen=True, kw_only=True)
class Config:
    """Large payloads are in the bucket, or in `folder` where there is one."""

    stack: str
    broker_url: str
    broker_ca: str | None
    conninfo: str
    bucket: str
    prefix: str
    model_server: Path
    limits: Limits
    folder: Path | None = None
    folder_bytes: int = 0


def path() -> Path:
    return Path(os.environ.get(VARIABLE) or DEFAULT)


def read(file: Path | None = None) -> Config:
    """Raises `ConfigError`."""
    file = file or path()
    try:
        data = json.loads(file.read_text())
        return _config(data)
    except OSError as error:
        raise ConfigError(f"{file}: {error.strerror}") from error
    except (ValueError, KeyError, TypeError) as error:
        raise ConfigError(f"{file} cannot be used: {type(error).__name__}: {error}") from error


def _config(data: dict[str, Any]) -> Config:
    payloads = data.get("payloads") or {}
    return Config(
        stack=data["stack"],
        broker_url=data["broker"]["url"],
        broker_ca=data["broker"].get("ca"),
        conninfo=_conninfo(data["database"]),
        bucket="" if payloads else data["bucket"],
        prefix=data.get("prefix", "jobs/"),
        model_server=Path(data["model_server"]),
        limits=Limits(**data.get("limits", {})),
        folder=Path(payloads["folder"]) if payloads else None,
        folder_bytes=payloads.get("bytes", 0),
    )


def _conninfo(database: dict[str, Any]) -> str:
    """The password stays in its file, which the client library reads at each connection."""
    ca = database.get("ca")
    return make_conninfo(
        host=database["host"],
        hostaddr=database.get("hostaddr"),
        port=database.get("port", 5432),
        dbname=database["name"],
        user=database["user"],
        passfile=database.get("passfile"),
        sslmode=database.get("sslmode") or ("verify-full" if ca else "require"),
        sslrootcert=ca,
        connect_timeout=CONNECT_SECONDS,
        tcp_user_timeout=DEAD_PEER_MILLISECONDS,
        keepalives_idle=5,
        keepalives_interval=2,
        keepalives_count=3,
        application_name="slipway-jobs",
    )

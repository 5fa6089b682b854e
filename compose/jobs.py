"""What the containers of asynchronous predictions start: `python3 -m compose.jobs accept`, and `… work`.

Both are a node's own programs. Accepting makes role, database and tables first, as a broker's node does on a stack. A
worker asks the balancer, by a socket in a volume, where on a node it asks the one model server beside it: so workers
and servers scale apart, and only servers that are ready are asked.
"""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any, Literal, get_args
from urllib.parse import quote

from compose import secrets
from contract import PATHS, PORTS, S3
from jobs.node.announce import OWNER
from jobs.node.broker import USERNAME, VHOST
from ops import postgres, private
from ops.errors import UserError, reported
from ops.postgres import Server

Verb = Literal["accept", "work"]

PRIVATE = Path(PATHS.secrets)
RUN = Path(PATHS.jobs_run)
MODELS = RUN / "models.sock"
ON = RUN / "accept.pid"
"""It is there while jobs are on: gunicorn removes it when it is told to end, and not when it dies."""
PAYLOADS = "/srv/slipway-jobs"
BROKER, DATABASE = "broker", "database"
LIMITS = {
    "SLIPWAY_JOBS_RETENTION_HOURS": "retention_hours",
    "SLIPWAY_JOBS_ATTEMPTS": "attempts",
    "SLIPWAY_JOBS_QUEUE": "queue",
    "SLIPWAY_JOBS_CONCURRENCY": "concurrency",
}
KEPT_MIB = "SLIPWAY_JOBS_MIB"
DEFAULT_MIB = 2048


def server() -> Server:
    return Server(host=DATABASE, port=PORTS.database, ca=str(secrets.FOLDER / "database_authority"))


def configuration(folder: Path = PRIVATE) -> dict[str, Any]:
    """As a node has it. Raises `UserError` for a setting that is none."""
    password = quote(secrets.read("broker_password"), safe="")
    return {
        "stack": "compose",
        "broker": {
            "url": f"amqps://{USERNAME}:{password}@{BROKER}:{PORTS.broker}/{VHOST}",
            "ca": str(secrets.FOLDER / "broker_authority"),
        },
        "database": {
            "host": DATABASE,
            "port": PORTS.database,
            "name": OWNER.database,
            "user": OWNER.role,
            "passfile": str(folder / "jobs.pgpass"),
            "ca": server().ca,
        },
        "payloads": {"folder": PAYLOADS, "bytes": number(KEPT_MIB, DEFAULT_MIB) << 20},
        "prefix": S3.jobs,
        "model_server": str(MODELS),
        "limits": {name: number(variable) for variable, name in LIMITS.items() if os.environ.get(variable)},
    }


def number(variable: str, default: int = 0) -> int:
    text = os.environ.get(variable) or str(default)
    if not text.isdecimal() or int(text) == 0:
        raise UserError(f"{variable} is {text!r}, which is no number of at least 1", "see docs/compose.md")
    return int(text)


def write(folder: Path = PRIVATE) -> None:
    line = server().login_line(OWNER, secrets.read("jobs_database_password"))
    private.write(folder / "jobs.pgpass", line)
    private.write(folder / Path(PATHS.jobs_config).name, json.dumps(configuration(folder)))


def prepare() -> None:
    """Raises `UserError` while the database cannot be had: the engine then starts the container again."""

    def master() -> tuple[str, str, str]:
        return "postgres", secrets.read("database_password"), "postgres"

    postgres.ensure(server(), OWNER, secrets.read("jobs_database_password"), master)
    done = subprocess.run([sys.executable, "-m", "jobs.schema"], capture_output=True, text=True, check=False)
    if done.returncode:
        raise UserError(f"the tables of jobs cannot be made: {done.stderr.strip()}", "this is tried again")


def argv(verb: Verb) -> list[str]:
    if verb == "work":
        return [sys.executable, "-m", "jobs.worker"]
    bind = ["--bind", f"unix:{RUN}/accept.sock", "--pid", str(ON)]
    return [sys.executable, "-m", "gunicorn", "--config", "python:jobs.gunicorn_config", *bind, "jobs.wsgi:app"]


def main(words: list[str]) -> None:
    with reported("jobs"):
        if len(words) != 1 or words[0] not in get_args(Verb):
            raise UserError(f"{' '.join(words) or 'nothing'} is no verb", f"one of {', '.join(get_args(Verb))}")
        verb: Verb = "work" if words[0] == "work" else "accept"
        write()
        if verb == "accept":
            prepare()
    os.execv(sys.executable, argv(verb))  # noqa: S606


if __name__ == "__main__":
    main(sys.argv[1:])

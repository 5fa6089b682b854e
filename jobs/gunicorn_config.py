"""gunicorn's settings for accepting jobs: `python3 -m gunicorn -c python:jobs.gunicorn_config jobs.wsgi:app`.

A request waits for PostgreSQL and for nothing else, so a few threads suffice.
"""

import os
from typing import TYPE_CHECKING

from contract import HTTP
from jobs.desk import THREADS
from jobs.logs import CONFIG

if TYPE_CHECKING:
    from gunicorn.workers.base import Worker  # type: ignore[import-untyped]

SOCKET = "/run/slipway-jobs/accept.sock"

bind = f"unix:{os.environ.get('SLIPWAY_JOBS_SOCKET') or SOCKET}"
workers = int(os.environ.get("SLIPWAY_JOBS_PROCESSES") or 2)
worker_class = "gthread"
threads = THREADS
preload_app = True
timeout = 60
graceful_timeout = 15
keepalive = HTTP.nginx_keepalive_seconds
control_socket_disable = True
logconfig_dict = CONFIG
accesslog = None  # jobs/desk.py writes it


def post_worker_init(worker: "Worker") -> None:
    worker.wsgi.extensions["desk"].start()


def worker_exit(_: object, worker: "Worker") -> None:
    if worker.wsgi is not None:
        worker.wsgi.extensions["desk"].stop()

"""gunicorn's settings: `python3 -m gunicorn -c python:app.gunicorn_config`.

They are part of the release, not of the node, so that a rollback takes them back too.
The master imports the libraries once and forks, so that workers share those pages and start together;
each worker then loads and checks the models itself, since what a model's code starts may not survive a fork.
"""

import os
from typing import TYPE_CHECKING

from app import settings
from app.core.errors import BadDeploymentError
from app.logs import CONFIG, refuse
from contract import HTTP

if TYPE_CHECKING:
    from gunicorn.arbiter import Arbiter  # type: ignore[import-untyped]

    from app.loop.worker import Worker

try:
    _settings = settings.read(os.environ)
except BadDeploymentError as error:
    refuse(str(error))

for _name, _value in settings.environment(_settings.workers).items():
    os.environ.setdefault(_name, _value)

wsgi_app = "app.wsgi:app"
bind = f"unix:{_settings.socket}"
workers = _settings.workers
worker_class = "app.loop.worker.Worker"
preload_app = True
timeout = HTTP.predict_seconds
graceful_timeout = HTTP.predict_seconds + 5
keepalive = (
    HTTP.nginx_keepalive_seconds
)  # longer than Nginx keeps an idle connection here: Nginx is the one to close it
worker_tmp_dir = str(_settings.run)  # the heartbeat's file: a tmpfs that the unit may write
control_socket_disable = True  # both slots would fight over one path under $HOME
logconfig_dict = CONFIG
accesslog = None  # app/http/access.py writes it


def child_exit(_: "Arbiter", worker: "Worker") -> None:
    """In the master: a worker that ended counts no more, and what it counted is not lost."""
    worker.gone()
    worker.serving.meters.fold(worker.age)


def worker_exit(_: "Arbiter", worker: "Worker") -> None:
    """In the worker, last of all."""
    if worker.serving.samples:
        worker.serving.samples.stop()
    worker.serving.meters.stop()

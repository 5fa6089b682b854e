"""The accepting application that gunicorn's master imports; its threads and connections begin in each worker."""

import sys

from jobs import config, logs
from jobs.accept import create_app
from jobs.config import ConfigError

try:
    app = create_app(config.read())
except ConfigError as error:
    logs.to_stdout()
    sys.exit(f"asynchronous predictions do not start: {error}")

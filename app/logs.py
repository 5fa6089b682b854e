"""Logs: one line of JSON per event on standard output, for journald to keep.

gunicorn, MLflow, warnings and the access log all pass through here, so that a line is never half a traceback.
"""

import json
import logging
import logging.config
import sys
from datetime import UTC, datetime
from typing import Any, NoReturn

TRACE_LENGTH = 16_000  # journald cuts a line at 48 KiB
_STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime"}


class JsonFormatter(logging.Formatter):
    """The message and whatever was given as `extra`."""

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
            "pid": record.process,
        }
        line.update({key: value for key, value in vars(record).items() if key not in _STANDARD})
        if record.exc_info:
            line["trace"] = self.formatException(record.exc_info)[-TRACE_LENGTH:]
        return json.dumps(line, default=str, ensure_ascii=False)


# For logging.config.dictConfig and gunicorn's logconfig_dict alike.
CONFIG: dict[str, Any] = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"json": {"()": JsonFormatter}},
    "handlers": {"stdout": {"class": "logging.StreamHandler", "formatter": "json", "stream": "ext://sys.stdout"}},
    "root": {"level": "INFO", "handlers": ["stdout"]},
    "loggers": {
        "gunicorn.error": {"level": "INFO", "propagate": True, "handlers": []},
        "gunicorn.access": {"level": "CRITICAL", "propagate": False, "handlers": []},
    },
}


def log_to_stdout(name: str) -> logging.Logger:
    """For a process that is not gunicorn's."""
    logging.config.dictConfig(CONFIG)
    return logging.getLogger(name)


def refuse(reason: str) -> NoReturn:
    """Ends the start of the server with one line; gunicorn has not set up any log yet."""
    logging.config.dictConfig(CONFIG)
    logging.getLogger("app").critical("the model server does not start: %s", reason)
    sys.exit(1)

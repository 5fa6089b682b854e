"""Logs of the jobs processes: one line of JSON per event on standard output, as the model server's are."""

import json
import logging
import logging.config
from datetime import UTC, datetime
from typing import Any

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
        }
        line.update({key: value for key, value in vars(record).items() if key not in _STANDARD})
        line.pop("data", None)  # Celery's, which repeats the message
        if record.exc_info:
            line["trace"] = self.formatException(record.exc_info)[-TRACE_LENGTH:]
        return json.dumps(line, default=str, ensure_ascii=False)


# For logging.config.dictConfig and gunicorn's logconfig_dict alike. Celery tells of each message twice: we do it once.
CONFIG: dict[str, Any] = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"json": {"()": JsonFormatter}},
    "handlers": {"stdout": {"class": "logging.StreamHandler", "formatter": "json", "stream": "ext://sys.stdout"}},
    "root": {"level": "INFO", "handlers": ["stdout"]},
    "loggers": {
        "gunicorn.error": {"level": "INFO", "propagate": True, "handlers": []},
        "gunicorn.access": {"level": "CRITICAL", "propagate": False, "handlers": []},
        "celery": {"level": "WARNING"},
        "celery.app.trace": {"level": "ERROR"},  # a job that is given up has its line already
        "psycopg.pool": {"level": "ERROR"},
        "botocore": {"level": "WARNING"},
    },
}


def to_stdout() -> None:
    logging.config.dictConfig(CONFIG)

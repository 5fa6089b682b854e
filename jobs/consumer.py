"""Celery's consumer without what this queue has no use for, and with one more rule: what is not ours is dead at once.

Celery itself acknowledges what it cannot decode, so that it would be lost, and trips over half of what is not a task.
"""

import json
import logging
from collections.abc import Callable
from typing import Any

from celery.worker.consumer import Consumer as CeleryConsumer

from jobs import broker

STEPS = ("connection:Connection", "tasks:Tasks", "consumer:Evloop")
SHOWN = 200

log = logging.getLogger("jobs.worker")


class Consumer(CeleryConsumer):  # type: ignore[misc]
    class Blueprint(CeleryConsumer.Blueprint):  # type: ignore[misc]
        default_steps = tuple(f"celery.worker.consumer.{name}" for name in STEPS)

    def create_task_handler(self, *words: Any, **options: Any) -> Callable[[Any], Any]:
        handle = super().create_task_handler(*words, **options)
        stack: str = self.app.conf.slipway_stack

        def received(message: Any) -> Any:
            if broker.job_of(message.headers, _body(message), stack) is None:
                return self._refuse(message)
            return handle(message)

        return received

    def on_decode_error(self, message: Any, exc: Exception) -> None:  # noqa: ARG002 - Celery calls it so
        self._refuse(message)

    def _refuse(self, message: Any) -> None:
        about = {"headers": str(message.headers)[:SHOWN], "body": repr(message.body)[:SHOWN]}
        log.error("a message that is not ours goes to the dead letters", extra=about)
        message.reject_log_error(log, self.connection_errors)


def _body(message: Any) -> object:
    """None when it is no JSON."""
    if message.content_type != "application/json":
        return None
    try:
        return json.loads(message.body)
    except (ValueError, TypeError):
        return None

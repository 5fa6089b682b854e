"""The broker's side of the seam: the Celery application, its one quorum queue and the queue of dead letters.

The broker is a URL. Only this module knows that it is RabbitMQ: the queue's arguments and the TLS options are here.
A message holds the job's id and the stack's name, nothing else.
"""

import ssl
from typing import Any
from uuid import UUID

from amqp.exceptions import AMQPError
from celery import Celery
from kombu import Exchange, Queue
from kombu.exceptions import KombuError

from jobs import ids
from jobs.config import Config

TASK = "slipway.job"
NAME = "slipway.jobs"
DEAD = "slipway.jobs.dead"
DELIVERIES = 20
"""A message that comes back more often is dead: the row's own count of attempts ends a job long before."""

HEARTBEAT_SECONDS = 20
CONNECT_SECONDS = 3
RETRIES = 8
"""Of a lost connection, some 70 s: the unit is then started anew, which fetches the broker's present address."""

AWAY = (KombuError, AMQPError, OSError)
"""The broker cannot be asked now, or refuses us."""

DEAD_QUEUE = Queue(
    DEAD, Exchange(DEAD, "direct", durable=True), routing_key=DEAD, queue_arguments={"x-queue-type": "quorum"}
)
QUEUE = Queue(
    NAME,
    Exchange(NAME, "direct", durable=True),
    routing_key=NAME,
    queue_arguments={
        "x-queue-type": "quorum",
        "x-delivery-limit": DELIVERIES,
        "x-dead-letter-exchange": DEAD,
        "x-dead-letter-routing-key": DEAD,
    },
)


def application(config: Config) -> Celery:
    """Nothing of Celery that costs a job time: no results, events, gossip or remote control."""
    app = Celery("slipway", broker=config.broker_url, set_as_current=False)
    app.conf.update(
        broker_use_ssl=tls(config),
        broker_heartbeat=HEARTBEAT_SECONDS,
        broker_connection_timeout=CONNECT_SECONDS,
        broker_connection_retry_on_startup=True,
        broker_connection_max_retries=RETRIES,
        broker_channel_error_retry=True,  # a queue that is not yet there again after the broker's start
        broker_transport_options={"client_properties": {"connection_name": "slipway-jobs"}},
        task_queues=[QUEUE],
        task_default_queue=NAME,
        task_default_exchange=NAME,
        task_default_routing_key=NAME,
        task_serializer="json",
        accept_content=["json"],
        task_ignore_result=True,
        task_acks_late=True,
        task_reject_on_worker_lost=True,
        task_publish_retry=False,
        worker_prefetch_multiplier=2,
        worker_enable_remote_control=False,
        worker_enable_prefetch_count_reduction=False,
        worker_cancel_long_running_tasks_on_connection_loss=False,
        worker_hijack_root_logger=False,
        worker_redirect_stdouts=False,
        worker_consumer="jobs.consumer:Consumer",
    )
    return app


def tls(config: Config) -> dict[str, Any] | None:
    """The authority has signed this one broker and nothing else, so its name needs no second check."""
    if not config.broker_ca:
        return None
    return {"ca_certs": config.broker_ca, "cert_reqs": ssl.CERT_REQUIRED}


def arguments(job: UUID, stack: str) -> list[str]:
    return [str(job), stack]


def job_of(headers: object, body: object, stack: str) -> UUID | None:
    """The job that a decoded message is about; None when the message is not one of this stack's."""
    if not isinstance(headers, dict) or headers.get("task") != TASK or headers.get("eta") or headers.get("expires"):
        return None
    if not isinstance(body, list) or len(body) != 3 or not isinstance(body[0], list) or len(body[0]) != 2:
        return None
    job, whose = body[0]
    found = ids.parse(job) if isinstance(job, str) else None
    return found if found and whose == stack and headers.get("id") == job and body[1] == {} else None

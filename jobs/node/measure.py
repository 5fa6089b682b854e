"""How many jobs wait, each minute, for CloudWatch: what an alarm or a scaling policy can go by."""

import base64
import json
from http import HTTPStatus
from http.client import HTTPConnection, HTTPException

from contract import METRICS, PORTS
from jobs.node import broker
from jobs.node.facts import Facts
from ops.errors import UserError

DEAD = ".dead"  # what is in such a queue waits for a person
TIMEOUT_SECONDS = 10


def waiting() -> int:
    """The messages of all queues that no worker has taken yet, as RabbitMQ's own statistics have them."""
    login = broker.login()
    pair = base64.b64encode(f"{login['username']}:{login['password']}".encode()).decode()
    path = f"/api/queues/{broker.VHOST}?columns=name,messages_ready"
    connection = HTTPConnection("127.0.0.1", PORTS.broker_management, timeout=TIMEOUT_SECONDS)
    try:
        connection.request("GET", path, headers={"Authorization": f"Basic {pair}"})
        answer = connection.getresponse()
        if answer.status != HTTPStatus.OK:
            raise UserError(f"RabbitMQ answers {answer.status}", "see `journalctl -u rabbitmq-server`")
        queues = json.load(answer)
    except (OSError, HTTPException) as error:
        raise UserError(f"RabbitMQ does not say how many wait: {error}", "it is asked again in a minute") from None
    finally:
        connection.close()
    return sum(queue.get("messages_ready", 0) for queue in queues if not queue["name"].endswith(DEAD))


def measure(facts: Facts) -> int:
    """Tells CloudWatch, and returns the number."""
    from botocore.exceptions import BotoCoreError, ClientError

    found = waiting()
    datum = {
        "MetricName": METRICS.jobs_queued,
        "Dimensions": [{"Name": METRICS.stack, "Value": facts.stack}],
        "Value": float(found),
        "Unit": "Count",
    }
    try:
        facts.aws("cloudwatch").put_metric_data(Namespace=METRICS.namespace, MetricData=[datum])
    except (ClientError, BotoCoreError) as error:
        raise UserError(f"CloudWatch was not told that {found} wait: {error}", "it is told again in a minute") from None
    return found

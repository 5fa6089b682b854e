"""The one thing that CloudWatch cannot know of itself: a rollout went back. The alarm on it is in the program."""

import sys

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from contract import METRICS
from ops.store import Store

CONFIG = Config(connect_timeout=3, read_timeout=5, retries={"mode": "standard", "max_attempts": 2})


def rollout_returned(at: Store) -> None:
    """Counts one. Never raises: a rollout's end does not depend on who hears of it, and the history has it."""
    stack = at.deployment_parameter.split("/")[-2]
    try:
        boto3.client("cloudwatch", region_name=at.region, config=CONFIG).put_metric_data(
            Namespace=METRICS.namespace,
            MetricData=[
                {
                    "MetricName": METRICS.rollouts_returned,
                    "Dimensions": [{"Name": METRICS.stack, "Value": stack}],
                    "Value": 1.0,
                    "Unit": "Count",
                }
            ],
        )
    except (ClientError, BotoCoreError) as error:
        print(f"the alarm of rollouts was not told: {error}", file=sys.stderr)

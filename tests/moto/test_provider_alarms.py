"""Alarms and whom they tell, from up to destroy."""

from collections.abc import Callable

import pytest

from tests.moto.cloud import client
from tests.moto.engine import Stack

ALARMS = """
import pulumi_aws as aws
topic = aws.sns.Topic("alarms", display_name="Slipway", tags={{"a": "{tag}"}})
told = aws.sns.TopicSubscription("told", topic=topic.arn, protocol="email", endpoint="{email}")
simple = aws.cloudwatch.MetricAlarm("simple", alarm_description="errors", namespace="AWS/ApplicationELB",
    metric_name="HTTPCode_ELB_5XX_Count", statistic="Sum", period=60, evaluation_periods=5, threshold={threshold},
    comparison_operator="GreaterThanThreshold", treat_missing_data="notBreaching", alarm_actions=[topic.arn],
    ok_actions=[topic.arn], dimensions={{"LoadBalancer": "app/a/0b"}}, tags={{"a": "{tag}"}})
def metric(name):
    return {{"metric_name": name, "namespace": "AWS/AutoScaling", "period": 60, "stat": "Average",
             "dimensions": {{"AutoScalingGroupName": "fleet"}}}}
math = aws.cloudwatch.MetricAlarm("math", comparison_operator="GreaterThanThreshold", threshold=0,
    evaluation_periods=15, metric_queries=[
        {{"id": "wanted", "metric": metric("GroupDesiredCapacity")}}, {{"id": "have", "metric": metric("{have}")}},
        {{"id": "missing", "expression": "wanted - have", "label": "missing nodes", "return_data": True}}])
"""


def program(
    tag: str = "b", email: str = "a@example.com", threshold: float = 5, have: str = "GroupInServiceInstances"
) -> str:
    return ALARMS.format(tag=tag, email=email, threshold=threshold, have=have)


@pytest.mark.long
def test_alarms_live_from_up_to_destroy(stack: Callable[..., Stack], cloud: str) -> None:
    made = stack(program(), **{"aws:region": "us-east-1"})
    made.up()
    made.up("--expect-no-changes")
    made.run("refresh", "--yes", "--skip-preview", "--expect-no-changes")

    made.write(program(tag="c", email="b@example.com", threshold=6.5, have="GroupTotalInstances"))
    planned = {step["urn"].split("::")[-1]: step["op"] for step in made.preview() if "replace" not in step["op"][:3]}
    assert planned["simple"] == planned["math"] == planned["alarms"] == "update"
    made.up()
    made.run("refresh", "--yes", "--skip-preview", "--expect-no-changes")
    watch = client("cloudwatch", cloud)
    found = {alarm["Threshold"]: alarm for alarm in watch.describe_alarms()["MetricAlarms"]}
    assert found[6.5]["Dimensions"] == [{"Name": "LoadBalancer", "Value": "app/a/0b"}]
    subscribed = client("sns", cloud).list_subscriptions()["Subscriptions"]
    assert [each["Endpoint"] for each in subscribed] == ["b@example.com"]

    made.destroy()
    assert watch.describe_alarms()["MetricAlarms"] == []
    assert client("sns", cloud).list_topics()["Topics"] == []

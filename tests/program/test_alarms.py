"""Alarms: on what, and whom they tell."""

from typing import Any

import pytest

from contract import METRICS
from tests.program.engine import Recording, changed, run

ALARM = "aws:cloudwatch/metricAlarm:MetricAlarm"
TOPIC, TOLD = "aws:sns/topic:Topic", "aws:sns/topicSubscription:TopicSubscription"
KEYS = (
    "balancer-5xx",
    "target-5xx",
    "unhealthy-serving",
    "unhealthy-tracking",
    "capacity",
    "database-storage",
    "rollout-returned",
)

Config = dict[str, Any]


def test_a_stack_has_its_alarms(stack: Recording) -> None:
    assert len(stack.of(ALARM)) == len(KEYS)
    for key in KEYS:
        inputs = stack.one(ALARM, f"-{key}").inputs
        assert inputs["alarmDescription"]
        assert inputs["treatMissingData"] == "notBreaching", "a metric that is silent when all is well"
        assert "metricQueries" in inputs or inputs["dimensions"], "of this stack alone"


def test_without_an_address_nobody_is_told(stack: Recording) -> None:
    assert stack.of(TOPIC) == stack.of(TOLD) == []
    assert not any(alarm.inputs.get("alarmActions") for alarm in stack.of(ALARM))


def test_an_address_is_told_when_an_alarm_comes_and_when_it_goes(local: Config) -> None:
    stack = run(changed(local, {"alarms.email": "ops@example.com"}), "local")
    told = stack.one(TOLD).inputs
    assert (told["protocol"], told["endpoint"]) == ("email", "ops@example.com")
    for alarm in stack.of(ALARM):
        assert alarm.inputs["alarmActions"] == alarm.inputs["okActions"] == [told["topic"]]


def test_alarms_can_be_left_out(local: Config) -> None:
    stack = run(changed(local, {"alarms.enabled": False}), "local")
    assert stack.of(ALARM) == []


def test_capacity_is_measured_against_what_is_wanted(stack: Recording) -> None:
    queries = {query["id"]: query for query in stack.one(ALARM, "-capacity").inputs["metricQueries"]}
    assert [query["id"] for query in queries.values() if query.get("returnData")] == ["missing"]
    group = stack.one("aws:autoscaling/group:Group", "-serving").inputs
    measured = {query["metric"]["metricName"] for query in queries.values() if "metric" in query}
    assert measured <= set(group["enabledMetrics"]), "a group keeps quiet about what it was not asked for"


def test_a_rollout_that_went_back_is_known_by_the_contracts_metric(local_stack: Recording) -> None:
    inputs = local_stack.one(ALARM, "-rollout-returned").inputs
    assert (inputs["namespace"], inputs["metricName"]) == (METRICS.namespace, METRICS.rollouts_returned)
    assert inputs["dimensions"] == {METRICS.stack: "local"}


@pytest.mark.parametrize("address", ["nobody", "two@example.com three@example.com"])
def test_an_address_that_is_none_is_refused(local: Config, address: str) -> None:
    with pytest.raises(Exception, match=r"alarms\.email"):
        run(changed(local, {"alarms.email": address}), "local")

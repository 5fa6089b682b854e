"""Alarms: on what, and whom they tell."""

from typing import Any

import pytest

from contract import METRICS
from tests.program.engine import Recording, changed, run

ALARM = "aws:cloudwatch/metricAlarm:MetricAlarm"
GROUP = "aws:autoscaling/group:Group"
TOPIC, TOLD = "aws:sns/topic:Topic", "aws:sns/topicSubscription:TopicSubscription"
KEYS = (
    "balancer-5xx",
    "target-5xx",
    "unhealthy-serving",
    "unhealthy-tracking",
    "capacity-serving",
    "capacity-tracking",
    "database-storage",
    "rollout-returned",
)

ROLES = ("serving", "tracking", "broker", "worker", "pipeline")
EVERY_GROUP = {"jobs.enabled": True, "jobs.fleet": {"desired": 1}, "pipeline.enabled": True}

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


def test_every_group_of_nodes_is_measured_against_what_is_wanted(local: Config) -> None:
    stack = run(changed(local, EVERY_GROUP), "local")
    assert len(stack.of(GROUP)) == len(ROLES)
    for role in ROLES:
        group = stack.one(GROUP, f"-{role}")
        queries = {query["id"]: query for query in stack.one(ALARM, f"-capacity-{role}").inputs["metricQueries"]}
        assert [query["id"] for query in queries.values() if query.get("returnData")] == ["missing"]
        asked = [query["metric"] for query in queries.values() if "metric" in query]
        name = stack.exports["fleet_group" if role == "serving" else f"{role}_group"]
        assert {metric["dimensions"]["AutoScalingGroupName"] for metric in asked} == {name}
        measured = {metric["metricName"] for metric in asked}
        assert measured <= set(group.inputs["enabledMetrics"]), "a group keeps quiet about what it was not asked for"


def test_a_rollout_that_went_back_is_known_by_the_contracts_metric(local_stack: Recording) -> None:
    inputs = local_stack.one(ALARM, "-rollout-returned").inputs
    assert (inputs["namespace"], inputs["metricName"]) == (METRICS.namespace, METRICS.rollouts_returned)
    assert inputs["dimensions"] == {METRICS.stack: "local"}


@pytest.mark.parametrize("address", ["nobody", "two@example.com three@example.com"])
def test_an_address_that_is_none_is_refused(local: Config, address: str) -> None:
    with pytest.raises(Exception, match=r"alarms\.email"):
        run(changed(local, {"alarms.email": address}), "local")

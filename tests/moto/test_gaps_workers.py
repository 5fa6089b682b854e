"""A group without a balancer: launches that wait for a word, and a policy on a metric of its own."""

import time
from typing import Any

import pytest

from tests.moto.local_api import LocalApi, refusal
from tests.moto.test_gaps_autoscaling import Group

HOOK = "ready"
MINUTE_SECONDS = 60
TARGET = 100


class Workers(Group):
    """A group whose launches are held. Its minutes pass when a test says so."""

    def __init__(self, api: LocalApi, timeout: int = 600) -> None:
        sizes = {"MinSize": 0, "DesiredCapacity": 0, "TargetGroupARNs": [], "HealthCheckType": "EC2"}
        super().__init__(api, **sizes)
        api.groups.put_lifecycle_hook(
            AutoScalingGroupName=self.name,
            LifecycleHookName=HOOK,
            LifecycleTransition="autoscaling:EC2_INSTANCE_LAUNCHING",
            HeartbeatTimeout=timeout,
            DefaultResult="ABANDON",
        )
        api.groups.enable_metrics_collection(
            AutoScalingGroupName=self.name, Metrics=["GroupInServiceInstances"], Granularity="1Minute"
        )
        api.groups.update_auto_scaling_group(AutoScalingGroupName=self.name, MinSize=1, DesiredCapacity=1)
        self.now = time.monotonic()
        api.world.meter.length, api.world.meter.clock = MINUTE_SECONDS, lambda: self.now

    def waiting(self) -> list[str]:
        return self.members("Pending:Wait")

    def until_waiting(self, without: str = "") -> str:
        """The member that waits, once there is one, and one that is to be gone is."""
        self.api.turn_until(lambda: bool(self.waiting()) and without not in self.members(None))
        return self.waiting()[0]

    def say(self, instance: str, result: str = "CONTINUE", hook: str = HOOK) -> None:
        self.api.groups.complete_lifecycle_action(
            AutoScalingGroupName=self.name,
            LifecycleHookName=hook,
            InstanceId=instance,
            LifecycleActionResult=result,
        )

    def bring(self, count: int) -> None:
        """Every member that waits says that it is ready, until so many are in service."""

        def there() -> bool:
            for instance in self.waiting():
                self.say(instance)
            return len(self.members()) == count == len(self.members(None))

        self.api.turn_until(there)

    def follow(self, **metrics: Any) -> dict[str, Any]:
        queued = {"Namespace": "Slipway", "MetricName": "JobsQueued", "Dimensions": [{"Name": "Stack", "Value": "x"}]}
        where = [{"Name": "AutoScalingGroupName", "Value": self.name}]
        nodes = {"Namespace": "AWS/AutoScaling", "MetricName": "GroupInServiceInstances", "Dimensions": where}
        queries = [
            {"Id": "queued", "MetricStat": {"Metric": queued, "Stat": "Average"}, "ReturnData": False},
            {"Id": "nodes", "MetricStat": {"Metric": nodes, "Stat": "Average"}, "ReturnData": False},
            {"Id": "each", "Expression": "queued / nodes"},
        ]
        answer: dict[str, Any] = self.api.groups.put_scaling_policy(
            AutoScalingGroupName=self.name,
            PolicyName=self.name,
            PolicyType="TargetTrackingScaling",
            TargetTrackingConfiguration={
                "CustomizedMetricSpecification": {"Metrics": queries},
                "TargetValue": TARGET,
                **metrics,
            },
        )
        return answer

    def minute(self, queued: int | None) -> int:
        """One minute with so many jobs that wait; how many members are wanted then."""
        if queued is not None:
            self.api.client("cloudwatch").put_metric_data(
                Namespace="Slipway",
                MetricData=[
                    {"MetricName": "JobsQueued", "Value": queued, "Dimensions": [{"Name": "Stack", "Value": "x"}]}
                ],
            )
        self.now += MINUTE_SECONDS
        self.api.turn(1)
        return int(self.describe()["DesiredCapacity"])


def test_a_launch_is_in_service_when_its_node_has_said_so_and_not_before(api: LocalApi) -> None:
    group = Workers(api)
    instance = group.until_waiting()
    api.turn(20)
    assert group.members() == [], "it runs, and is not in service"
    assert len(group.members(None)) == 1, "it fills its place all the same"
    described = api.groups.describe_auto_scaling_instances(InstanceIds=[instance])["AutoScalingInstances"][0]
    assert (described["AutoScalingGroupName"], described["LifecycleState"]) == (group.name, "Pending:Wait")
    group.say(instance)
    api.turn(1)
    assert group.members() == [instance]


def test_one_that_is_given_up_or_says_nothing_in_time_is_replaced(api: LocalApi) -> None:
    group = Workers(api)
    first = group.until_waiting()
    group.say(first, "ABANDON")
    group.until_waiting(without=first)
    activities = api.groups.describe_scaling_activities(AutoScalingGroupName=group.name)["Activities"]
    assert any(each["StatusCode"] == "Failed" and first in each["StatusMessage"] for each in activities)
    silent = Workers(api, timeout=30)
    second = silent.until_waiting()
    for member in silent_states(silent):
        member.waits_until = member.since
    silent.until_waiting(without=second)


def silent_states(group: Group) -> list[Any]:
    """The members as the controller has them, so that a test need not wait for their timeout."""
    from moto.autoscaling.models import autoscaling_backends

    return list(autoscaling_backends["123456789012"]["us-east-1"].autoscaling_groups[group.name].instance_states)


def test_a_word_that_nobody_waits_for_is_refused(api: LocalApi) -> None:
    group = Workers(api)
    group.bring(1)
    (instance,) = group.members()
    assert refusal(group.say, instance=instance) == "ValidationError"
    assert refusal(group.say, instance=instance, hook="other") == "ValidationError"


def test_a_hook_goes_with_its_group(api: LocalApi) -> None:
    group = Workers(api)
    group.bring(1)
    api.groups.update_auto_scaling_group(AutoScalingGroupName=group.name, MinSize=0, MaxSize=0, DesiredCapacity=0)
    api.turn_until(lambda: group.members(None) == [])
    api.groups.delete_auto_scaling_group(AutoScalingGroupName=group.name)
    assert api.groups.describe_lifecycle_hooks(AutoScalingGroupName=group.name)["LifecycleHooks"] == []


def test_a_backlog_adds_nodes_and_its_end_takes_them_away(api: LocalApi) -> None:
    group = Workers(api)
    group.bring(1)
    policy = group.follow()
    high, low = (
        api.client("cloudwatch").describe_alarms(AlarmNames=[alarm["AlarmName"]])["MetricAlarms"][0]
        for alarm in policy["Alarms"]
    )
    assert [query["Id"] for query in high["Metrics"]] == ["queued", "nodes", "each"]
    assert (high["Threshold"], low["Threshold"]) == (TARGET, TARGET * 0.9)
    assert [group.minute(250) for _ in range(3)] == [1, 1, 3], "three minutes above the target"
    group.bring(3)
    assert {group.minute(300) for _ in range(20)} == {3}, "100 for each is what is wanted"
    assert [group.minute(0) for _ in range(15)][-2:] == [3, 1]


def test_without_the_metric_nothing_changes(api: LocalApi) -> None:
    group = Workers(api)
    group.bring(1)
    group.follow()
    group.minute(900)
    group.minute(900)
    cloudwatch_forgets(api)
    assert [group.minute(None) for _ in range(4)] == [1] * 4


def cloudwatch_forgets(api: LocalApi) -> None:
    from moto.cloudwatch.models import cloudwatch_backends

    cloudwatch_backends["123456789012"]["us-east-1"].metric_data.clear()


def test_metrics_that_cannot_be_are_refused(api: LocalApi) -> None:
    group = Workers(api)
    metric = {"PredefinedMetricType": "ASGAverageCPUUtilization"}
    assert refusal(group.follow, PredefinedMetricSpecification=metric) == "ValidationError"
    queries = [{"Id": "each", "Expression": "queued / nodes"}]
    assert refusal(group.follow, CustomizedMetricSpecification={"Metrics": queries}) == "ValidationError"


@pytest.fixture(autouse=True)
def _no_metrics_of_other_tests(api: LocalApi) -> None:
    cloudwatch_forgets(api)

"""Target tracking: what the API takes and refuses, and what the controller makes of the requests."""

import time
from typing import Any

import pytest

from tests.moto.local_api import LocalApi, refusal
from tests.moto.test_gaps_autoscaling import Group

MINUTE_SECONDS = 60


class Tracked(Group):
    """A group whose policy aims at `target` requests a minute for each member. Its minutes pass when a test says so."""

    def __init__(self, api: LocalApi, target: float = 60, **more: Any) -> None:
        super().__init__(api, **more)
        described = api.elbv2.describe_load_balancers(Names=[self.name])["LoadBalancers"][0]
        self.balancer = str(described["LoadBalancerArn"])
        self.label = f"{self.balancer.split(':loadbalancer/')[1]}/{self.targets.rsplit(':', 1)[1]}"
        self.now = time.monotonic()
        api.world.meter.length, api.world.meter.clock = MINUTE_SECONDS, lambda: self.now
        self.policy = self.put(TargetValue=target)

    def put(self, **tracking: Any) -> dict[str, Any]:
        metric = {"PredefinedMetricType": "ALBRequestCountPerTarget", "ResourceLabel": self.label}
        answer: dict[str, Any] = self.api.groups.put_scaling_policy(
            AutoScalingGroupName=self.name,
            PolicyName=self.name,
            PolicyType="TargetTrackingScaling",
            TargetTrackingConfiguration={"PredefinedMetricSpecification": metric, **tracking},
        )
        return answer

    def minute(self, requests: int) -> None:
        """One minute of a fleet that gets so many requests in all."""
        healthy = sum(state == "healthy" for state in self.health().values())
        self.api.world.count_requests(self.balancer, self.targets, requests, 0, (healthy, 0))
        self.now += MINUTE_SECONDS
        self.api.turn(1)

    def desired(self) -> int:
        return int(self.describe()["DesiredCapacity"])

    def until_desired(self, number: int, per_minute: int) -> None:
        """Under that load until so many are wanted."""

        def there() -> bool:
            self.minute(per_minute)
            return self.desired() == number

        self.api.turn_until(there)

    def for_minutes(self, number: int, per_minute: int) -> None:
        """Under that load for so many minutes."""
        for _ in range(number):
            self.minute(per_minute)

    def alarms(self) -> dict[str, str]:
        names = [alarm["AlarmName"] for alarm in self.policy["Alarms"]]
        found = self.api.client("cloudwatch").describe_alarms(AlarmNames=names)["MetricAlarms"]
        return {"high" if "AlarmHigh" in alarm["AlarmName"] else "low": alarm["StateValue"] for alarm in found}


@pytest.fixture
def tracked(api: LocalApi) -> Tracked:
    group = Tracked(api)
    group.settle()
    return group


def test_more_requests_than_the_target_add_members_up_to_the_maximum(api: LocalApi, tracked: Tracked) -> None:
    tracked.until_desired(4, 1000)
    assert tracked.alarms()["high"] == "ALARM"
    causes = [
        each["Cause"]
        for each in api.groups.describe_scaling_activities(AutoScalingGroupName=tracked.name)["Activities"]
    ]
    assert any("changing the desired capacity from 2 to 4" in cause for cause in causes)
    tracked.settle(4)


def test_fewer_take_members_away_down_to_the_minimum_and_each_drains_first(api: LocalApi, tracked: Tracked) -> None:
    tracked.until_desired(1, 0)
    seen: set[str] = set()

    def settled() -> bool:
        seen.update(tracked.health().values())
        return tracked.settled(1)

    api.turn_until(settled)
    assert "draining" in seen
    assert tracked.alarms()["low"] == "ALARM"


def test_a_load_at_the_target_changes_nothing(api: LocalApi, tracked: Tracked) -> None:
    tracked.for_minutes(20, 114)
    assert tracked.desired() == 2
    assert tracked.alarms() == {"high": "OK", "low": "OK"}


def test_a_policy_that_may_not_scale_in_does_not(api: LocalApi, tracked: Tracked) -> None:
    tracked.policy = tracked.put(TargetValue=60, DisableScaleIn=True)
    tracked.for_minutes(20, 0)
    assert tracked.desired() == 2


def test_a_policy_is_refused_without_its_group_or_with_a_label_of_another(api: LocalApi, tracked: Tracked) -> None:
    metric = {"PredefinedMetricType": "ALBRequestCountPerTarget", "ResourceLabel": f"{tracked.label}0"}
    policy = {
        "PolicyName": "other",
        "PolicyType": "TargetTrackingScaling",
        "TargetTrackingConfiguration": {"PredefinedMetricSpecification": metric, "TargetValue": 1.0},
    }
    put = api.groups.put_scaling_policy
    assert refusal(put, AutoScalingGroupName="none", **policy) == "ValidationError"
    assert refusal(put, AutoScalingGroupName=tracked.name, **policy) == "ValidationError"
    described = api.groups.describe_policies(AutoScalingGroupName=tracked.name)["ScalingPolicies"]
    assert [each["PolicyName"] for each in described] == [tracked.name]
    assert described[0]["Enabled"] is True
    assert described[0]["TargetTrackingConfiguration"]["TargetValue"] == 60


def test_alarms_go_with_their_policy(api: LocalApi, tracked: Tracked) -> None:
    api.groups.delete_policy(AutoScalingGroupName=tracked.name, PolicyName=tracked.name)
    assert tracked.alarms() == {}

"""Autoscaling: a policy when it is asked for, on what the balancer sends to each node."""

from typing import Any

from tests.program.engine import Recording, changed, run

GROUP = "aws:autoscaling/group:Group"
POLICY = "aws:autoscaling/policy:Policy"

Config = dict[str, Any]


def test_a_stack_has_the_size_that_it_was_given(stack: Recording) -> None:
    assert stack.of(POLICY) == []


def test_with_autoscaling_a_policy_aims_at_the_requests_of_each_node(local: Config) -> None:
    stack = run(changed(local, {"fleet.autoscaling": True, "fleet.requestsPerMinute": 1234}), "local")
    inputs = stack.one(POLICY).inputs
    assert inputs["policyType"] == "TargetTrackingScaling"
    tracking = inputs["targetTrackingConfiguration"]
    assert tracking["targetValue"] == 1234
    assert tracking["disableScaleIn"] is False
    metric = tracking["predefinedMetricSpecification"]
    assert metric["predefinedMetricType"] == "ALBRequestCountPerTarget"
    assert metric["resourceLabel"] == "app/slipway-local-lb/0a1b/targetgroup/slipway-local-api/0a1b"
    assert "estimatedInstanceWarmup" not in inputs, "the group's own warm-up holds"


def test_the_policy_owns_the_size_from_then_on(local: Config) -> None:
    stack = run(changed(local, {"fleet.autoscaling": True}), "local")
    group = stack.one(GROUP, "-serving")
    assert list(group.request.ignoreChanges) == ["desiredCapacity"]
    assert list(stack.one(GROUP, "-tracking").request.ignoreChanges) == []


def test_a_fleet_that_may_only_grow_is_a_setting(local: Config) -> None:
    stack = run(changed(local, {"fleet.autoscaling": True, "fleet.scaleIn": False}), "local")
    assert stack.one(POLICY).inputs["targetTrackingConfiguration"]["disableScaleIn"] is True

"""Nodes that only work on jobs: none unless they are asked for, and then closed, ready by their own word, and scaled by
what waits.
"""

import json
from typing import Any

import pytest

from contract import PORTS, TAGS
from infra.components.fleet import LAUNCH_HOOK
from tests.program.engine import Recording, changed, run
from tests.program.test_grants import statements
from tests.program.test_jobs import EGRESS, GROUP, TEMPLATE, admitted, facts, inputs
from tests.program.test_settings import refusal
from tests.program.test_stack import LONGEST, fits_every_limit

POLICY = "aws:autoscaling/policy:Policy"
ROLE_POLICY = "aws:iam/rolePolicy:RolePolicy"

Config = dict[str, Any]

FLEET = {"instanceType": "c7i.large", "minimum": 1, "desired": 2, "maximum": 5, "backlogPerInstance": 300}


@pytest.fixture(scope="module")
def without(local: Config) -> Recording:
    return run(changed(local, {"jobs.enabled": True}), "local")


@pytest.fixture(scope="module")
def on(local: Config) -> Recording:
    return run(changed(local, {"jobs.enabled": True, "jobs.fleet": FLEET}), "local")


def test_jobs_alone_bring_no_worker_node(without: Recording) -> None:
    assert [each.name for each in without.made if "worker" in each.name] == []
    assert "worker_group" not in without.exports
    assert without.of(POLICY) == []


def test_the_rest_of_the_stack_is_as_it_was_but_for_who_works(without: Recording, on: Recording) -> None:
    before = {(each.type, each.name): inputs(each) for each in without.cloud()}
    after = {(each.type, each.name): inputs(each) for each in on.cloud()}
    assert before.keys() <= after.keys()
    assert {key for key in before if before[key] != after[key]} == {(TEMPLATE, "slipway-local-serving")}
    told, now = facts(without, "serving")["jobs"], facts(on, "serving")["jobs"]
    assert (told.pop("works"), now.pop("works")) == (True, False)
    assert told == now
    assert facts(on, "worker")["jobs"] == {**now, "works": True, "concurrency": 8}


def test_how_many_jobs_a_node_has_at_a_time_is_a_setting(local: Config) -> None:
    for fleet in ({}, FLEET):
        stack = run(changed(local, {"jobs.enabled": True, "jobs.fleet": fleet, "jobs.concurrency": 3}), "local")
        assert facts(stack, "serving")["jobs"]["concurrency"] == 3


def test_worker_nodes_are_as_many_as_the_settings_say_in_every_zone_and_behind_no_balancer(on: Recording) -> None:
    group, serving = on.one(GROUP, "-worker"), on.one(GROUP, "-serving")
    assert [group.inputs[name] for name in ("minSize", "desiredCapacity", "maxSize")] == [1, 2, 5]
    assert group.inputs["vpcZoneIdentifiers"] == serving.inputs["vpcZoneIdentifiers"]
    assert group.inputs["healthCheckType"] == "EC2"
    assert not group.inputs.get("targetGroupArns")
    preferences = group.inputs["instanceRefresh"]["preferences"]
    assert (preferences["minHealthyPercentage"], preferences["maxHealthyPercentage"]) == (100, 200)
    assert on.exports["worker_group"].startswith("slipway-local-worker")


def test_a_worker_node_is_made_as_a_serving_one_is(on: Recording) -> None:
    worker, serving = on.one(TEMPLATE, "-worker").inputs, on.one(TEMPLATE, "-serving").inputs
    for name in ("imageId", "keyName", "metadataOptions", "blockDeviceMappings"):
        assert worker[name] == serving[name], name
    assert worker["instanceType"] == "c7i.large"
    assert {spec["tags"][TAGS.role] for spec in worker["tagSpecifications"]} == {"worker"}
    told, others = facts(on, "worker"), facts(on, "serving")
    for name in ("deployment_parameter", "watcher_key_parameter", "prediction_log", "bucket", "stack"):
        assert told[name] == others[name], name


def test_a_launch_waits_until_the_node_has_said_that_it_is_ready(on: Recording) -> None:
    (hook,) = on.one(GROUP, "-worker").inputs["initialLifecycleHooks"]
    assert hook["name"] == facts(on, "worker")["launch_hook"] == LAUNCH_HOOK
    assert hook["lifecycleTransition"] == "autoscaling:EC2_INSTANCE_LAUNCHING"
    assert hook["defaultResult"] == "ABANDON", "one that never becomes ready is replaced"
    assert hook["heartbeatTimeout"] == 600
    for group in on.of(GROUP):
        assert bool(group.inputs.get("initialLifecycleHooks")) == group.name.endswith("-worker")


def test_no_worker_node_starts_before_what_it_needs(on: Recording) -> None:
    behind = {each.urn for each in on.made if "-serving" in each.name or each.name.endswith("-api")}
    assert on.one(GROUP, "-worker").after >= on.one(GROUP, "-serving").after - behind


def test_nobody_but_operators_and_the_watcher_reaches_a_worker_node(on: Recording) -> None:
    assert admitted(on, "worker") == {("10.20.0.0/16", PORTS.ssh), ("slipway-local-tracking-id", PORTS.ssh)}


def test_a_worker_node_reaches_broker_and_database_and_what_every_node_does(on: Recording) -> None:
    def reached(role: str) -> set[tuple[Any, int]]:
        rules = [rule for rule in on.of(EGRESS) if rule.inputs["securityGroupId"] == f"slipway-local-{role}-id"]
        peers = ("cidrIpv4", "referencedSecurityGroupId")
        return {(next(p for n in peers if (p := r.inputs.get(n))), int(r.inputs["fromPort"])) for r in rules}

    assert reached("worker") == reached("serving")
    assert ("slipway-local-worker-id", PORTS.broker) in admitted(on, "broker")
    assert ("slipway-local-worker-id", PORTS.database) in admitted(on, "database")


def test_a_worker_node_may_what_a_serving_one_may_and_tell_its_own_group(on: Recording) -> None:
    def granted(role: str) -> list[str]:
        return sorted(json.dumps(each, sort_keys=True) for each in statements(on, role))

    more = [json.loads(each) for each in granted("worker") if each not in granted("serving")]
    assert set(granted("serving")) <= set(granted("worker"))
    own = "arn:aws:autoscaling:*:*:autoScalingGroup:*:autoScalingGroupName/slipway-local-worker-*"
    assert {(*each["Action"], *each["Resource"]) for each in more} == {
        ("autoscaling:CompleteLifecycleAction", own),
        ("autoscaling:DescribeAutoScalingInstances", "*"),
    }
    assert "logs/worker/*" in on.one(ROLE_POLICY, "-worker-logs").inputs["policy"]


def test_the_policy_aims_at_the_jobs_that_wait_for_each_node(on: Recording) -> None:
    policy = on.one(POLICY)
    assert policy.inputs["policyType"] == "TargetTrackingScaling"
    tracking = policy.inputs["targetTrackingConfiguration"]
    assert (tracking["targetValue"], tracking["disableScaleIn"]) == (300, False)
    queued, nodes, each = tracking["customizedMetricSpecification"]["metrics"]
    assert queued["metricStat"]["metric"] == {
        "namespace": "Slipway",
        "metricName": "JobsQueued",
        "dimensions": [{"name": "Stack", "value": "local"}],
    }
    assert nodes["metricStat"]["metric"]["metricName"] == "GroupInServiceInstances"
    assert nodes["metricStat"]["metric"]["dimensions"][0]["value"] == on.exports["worker_group"]
    assert "GroupInServiceInstances" in on.one(GROUP, "-worker").inputs["enabledMetrics"]
    assert each["expression"] == f"{queued['id']} / {nodes['id']}"
    assert [query.get("returnData", True) for query in (queued, nodes, each)] == [False, False, True]


def test_the_policy_owns_the_size_from_then_on(local: Config, on: Recording) -> None:
    assert list(on.one(GROUP, "-worker").request.ignoreChanges) == ["desiredCapacity"]
    fixed = run(changed(local, {"jobs.enabled": True, "jobs.fleet": {"desired": 1}}), "local")
    assert fixed.of(POLICY) == []
    assert list(fixed.one(GROUP, "-worker").request.ignoreChanges) == []


def test_the_longest_stack_name_fits_every_limit_with_worker_nodes_in_a_closed_network(prod: Config) -> None:
    stack = run(changed(prod, {"jobs.enabled": True, "jobs.fleet": FLEET, "network.egress": "none"}), LONGEST)
    fits_every_limit(stack)
    services = {each.inputs["serviceName"].split(".")[-1] for each in stack.of("aws:ec2/vpcEndpoint:VpcEndpoint")}
    assert "autoscaling" in services, "worker nodes tell their group that they are ready"


REFUSED = [
    ({"jobs.fleet": {"desired": 1}}, "slipway:jobs.fleet.desired is 1: there are no jobs. Set jobs.enabled"),
    (
        {"jobs.enabled": True, "jobs.fleet": {"backlogPerInstance": 100}},
        "there are no worker nodes whose number it could set",
    ),
    (
        {"jobs.enabled": True, "jobs.fleet": {"desired": 2, "minimum": 3}},
        "minimum 3 ≤ desired 2 ≤ maximum 4 does not hold",
    ),
    (
        {"jobs.enabled": True, "jobs.fleet": {"desired": 3, "maximum": 2}},
        "minimum 1 ≤ desired 3 ≤ maximum 2 does not hold",
    ),
    (
        {"jobs.enabled": True, "jobs.fleet": {"desired": 2, "minimum": 2, "maximum": 2, "backlogPerInstance": 9}},
        "the policy has nothing to decide",
    ),
    ({"jobs.enabled": True, "jobs.fleet": {"minimum": 0}}, "slipway:jobs.fleet.minimum is 0: it is out of range"),
    ({"jobs.enabled": True, "jobs.fleet": {"size": 2}}, "slipway:jobs.fleet.size is 2: there is no such setting"),
    ({"jobs.enabled": True, "jobs.fleet": {"instanceType": "large"}}, "It should look like t3.medium"),
]


@pytest.mark.parametrize(("changes", "says"), REFUSED, ids=[says for _, says in REFUSED])
def test_a_fleet_that_cannot_be_is_refused(local: Config, changes: Config, says: str) -> None:
    assert says in refusal(changed(local, changes))

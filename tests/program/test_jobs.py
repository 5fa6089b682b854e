"""Asynchronous predictions: nothing of them unless they are asked for, and then nothing that is open."""

import base64
import json
import re
from typing import Any

import pytest
import yaml
from pulumi.output import Unknown

from contract import PORTS, TAGS
from tests.program.conftest import JOBS
from tests.program.engine import Made, Recording, changed, run
from tests.program.test_grants import BUCKET, MASTER, allowed, statements
from tests.program.test_stack import LONGEST, fits_every_limit

GROUP = "aws:autoscaling/group:Group"
TEMPLATE = "aws:ec2/launchTemplate:LaunchTemplate"
INGRESS = "aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule"
EGRESS = "aws:vpc/securityGroupEgressRule:SecurityGroupEgressRule"
OBJECT = "aws:s3/bucketObjectv2:BucketObjectv2"
SECRET = "aws:secretsmanager/secret:Secret"
PARAMETER = "aws:ssm/parameter:Parameter"
RULE = "aws:lb/listenerRule:ListenerRule"

Config = dict[str, Any]


@pytest.fixture(scope="module")
def on(local: Config) -> Recording:
    return run(changed(local, {"jobs.enabled": True}), "local")


def facts(stack: Recording, role: str) -> dict[str, Any]:
    text = base64.b64decode(stack.one(TEMPLATE, f"-{role}").inputs["userData"]).decode()
    files = {file["path"]: file["content"] for file in yaml.safe_load(text)["write_files"]}
    found: dict[str, Any] = json.loads(files["/etc/slipway/facts.json"])
    return found


def admitted(stack: Recording, role: str) -> set[tuple[str, int]]:
    """Who may open which port of a role."""
    rules = [rule for rule in stack.of(INGRESS) if rule.inputs["securityGroupId"] == f"slipway-local-{role}-id"]
    return {(_peer(rule), int(rule.inputs["fromPort"])) for rule in rules}


def inputs(made: Made) -> dict[str, Any]:
    """Without what is equal to nothing: the files of uploads, and what is known only when its resource exists."""
    return {name: known(value) for name, value in made.inputs.items() if name != "source"}


def known(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: known(each) for name, each in value.items()}
    return "unknown" if isinstance(value, Unknown) else value


def test_off_nothing_of_it_exists(stack: Recording) -> None:
    made = [each.name for each in stack.made if re.search(r"broker|jobs", each.name)]
    assert made == []
    assert "broker_group" not in stack.exports
    assert facts(stack, "serving")["jobs"] is None
    assert not [s for s in statements(stack, "serving") if "secretsmanager:GetSecretValue" in s["Action"]]
    assert not [rule for rule in stack.of(INGRESS) if rule.inputs["fromPort"] == PORTS.broker]
    rules = stack.one("aws:s3/bucketLifecycleConfiguration:BucketLifecycleConfiguration").inputs["rules"]
    assert "jobs" not in {rule["id"] for rule in rules}


def test_off_the_jobs_release_need_not_exist(local: Config, on: Recording) -> None:
    assert f"releases/{JOBS}.tar.zst" in {upload.inputs["key"] for upload in on.of(OBJECT)}
    assert on.one(OBJECT, "-local-jobs").request.retainOnDelete


def test_on_the_rest_of_the_stack_is_as_it_was(local_stack: Recording, on: Recording) -> None:
    """But for what serving nodes are told and may do, and for the days of one prefix."""
    before = {(each.type, each.name): inputs(each) for each in local_stack.cloud()}
    after = {(each.type, each.name): inputs(each) for each in on.cloud()}
    assert before.keys() <= after.keys()
    differ = {name for kind, name in before if before[kind, name] != after[kind, name]}
    assert differ == {"slipway-local-serving", "slipway-local-artifacts"}
    policy = "aws:iam/rolePolicy:RolePolicy"
    kinds = {kind for kind, name in before if before[kind, name] != after[kind, name]}
    assert kinds == {TEMPLATE, policy, "aws:s3/bucketLifecycleConfiguration:BucketLifecycleConfiguration"}


def test_the_broker_is_one_that_can_be_replaced_and_that_no_balancer_asks(on: Recording) -> None:
    inputs = on.one(GROUP, "-broker").inputs
    assert (inputs["minSize"], inputs["desiredCapacity"], inputs["maxSize"]) == (1, 1, 2)
    assert inputs["healthCheckType"] == "EC2"
    assert not inputs.get("targetGroupArns")
    assert on.exports["broker_group"].startswith("slipway-local-broker")


def test_the_broker_is_known_and_tagged_as_every_node_is(on: Recording) -> None:
    template, group = on.one(TEMPLATE, "-broker"), on.one(GROUP, "-broker")
    for spec in template.inputs["tagSpecifications"]:
        assert (spec["tags"][TAGS.role], spec["tags"][TAGS.stack]) == ("broker", "local")
    assert {"key": TAGS.role, "value": "broker", "propagateAtLaunch": False} in group.inputs["tags"]
    assert template.inputs["metadataOptions"]["httpTokens"] == "required"
    assert template.inputs["instanceType"] == "t3.small"


def test_only_serving_nodes_reach_the_broker_and_only_by_tls(on: Recording) -> None:
    operators = ("10.20.0.0/16", PORTS.ssh)
    assert admitted(on, "broker") == {("slipway-local-serving-id", PORTS.broker), operators}


def test_the_database_admits_who_has_jobs_in_it(on: Recording) -> None:
    nodes = ("tracking", "serving", "broker")
    assert admitted(on, "database") == {(f"slipway-local-{node}-id", PORTS.database) for node in nodes}


def test_the_balancer_forwards_what_jobs_are_asked_for_at(on: Recording) -> None:
    rule = on.one(RULE, "-jobs")
    (condition,) = rule.inputs["conditions"]
    assert condition["pathPattern"]["values"] == ["/jobs/*"]
    priorities = [rule.inputs["priority"] for rule in on.of(RULE)]
    assert len(priorities) == len(set(priorities))


def test_nodes_are_told_names_and_limits_and_no_secret(on: Recording) -> None:
    told = facts(on, "serving")["jobs"]
    assert told.pop("works") is True, "where there are no nodes for it"
    assert told.pop("concurrency") == 0, "as many as it has processors"
    assert told == facts(on, "broker")["jobs"]
    assert told["release"] == JOBS
    assert told["broker_parameter"] == "/slipway/local/broker-address"
    assert told["limits"] == {
        "retention_hours": 24,
        "attempts": 5,
        "queue": 100_000,
        "inline_bytes": 65536,
        "body_bytes": 16_777_216,
    }
    assert "mlflow" not in json.dumps(told)


def test_no_secret_has_a_value_in_the_program(on: Recording) -> None:
    assert not on.of("aws:secretsmanager/secretVersion:SecretVersion")
    assert {"slipway-local-broker", "slipway-local-jobs-database"} <= {secret.name for secret in on.of(SECRET)}
    parameter = on.one(PARAMETER, "-broker-address")
    assert parameter.inputs["value"] == "pending"
    assert {"value", "insecureValue"} <= set(parameter.ignored)


def test_no_node_starts_before_where_jobs_are_written_down(on: Recording) -> None:
    for group in on.of(GROUP):
        assert {each.urn for each in on.of(PARAMETER)} <= group.after
        assert on.one(OBJECT, "-local-jobs").urn in group.after
    assert {each.urn for each in on.of(SECRET)} <= on.one(GROUP, "-broker").after | on.one(GROUP, "-serving").after


LOGIN = "arn:aws:Secret:us-east-1:123456789012:slipway-local-broker"
DATABASE = "arn:aws:Secret:us-east-1:123456789012:slipway-local-jobs-database"
ADMIN = "arn:aws:Secret:us-east-1:123456789012:slipway-local-mlflow-admin"
ADDRESS = "arn:aws:Parameter:us-east-1:123456789012:slipway-local-broker-address"
SERVING = {
    ("ssm:GetParameter", ADDRESS),
    ("secretsmanager:GetSecretValue", LOGIN),
    ("secretsmanager:GetSecretValue", DATABASE),
    ("s3:GetObject", f"{BUCKET}/jobs/x/input"),
    ("s3:PutObject", f"{BUCKET}/jobs/x/result"),
    ("s3:DeleteObject", f"{BUCKET}/jobs/x/input"),
}
BROKER = {
    ("ssm:PutParameter", ADDRESS),
    ("secretsmanager:PutSecretValue", LOGIN),
    ("secretsmanager:GetSecretValue", DATABASE),
    ("secretsmanager:PutSecretValue", DATABASE),
    ("secretsmanager:GetSecretValue", MASTER),
    ("s3:GetObject", f"{BUCKET}/releases/x.tar.zst"),
    ("s3:GetObject", f"{BUCKET}/nodes/x.tar.gz"),
}
ACTIONS = (
    *("s3:GetObject", "s3:PutObject", "s3:DeleteObject", "ssm:GetParameter", "ssm:PutParameter"),
    *("secretsmanager:GetSecretValue", "secretsmanager:PutSecretValue"),
)
THINGS = [LOGIN, DATABASE, ADMIN, MASTER, ADDRESS, *(f"{BUCKET}/{key}/x" for key in ("jobs", "mlflow", "rollouts"))]


def test_a_serving_node_may_what_jobs_need_and_no_more(on: Recording) -> None:
    assert {each for each in SERVING if not allowed(on, "serving", *each)} == set()
    granted = {(action, thing) for action in ACTIONS for thing in THINGS if allowed(on, "serving", action, thing)}
    assert granted == {(action, re.sub(r"jobs/x/\w+", "jobs/x", thing)) for action, thing in SERVING}


def test_the_broker_may_what_it_needs_and_no_more(on: Recording) -> None:
    assert {each for each in BROKER if not allowed(on, "broker", *each)} == set()
    granted = {(action, thing) for action in ACTIONS for thing in THINGS if allowed(on, "broker", action, thing)}
    assert granted == {(action, thing) for action, thing in BROKER if not thing.startswith(BUCKET)}


def test_what_the_broker_measures_stays_in_our_namespace(on: Recording) -> None:
    (metrics,) = [s for s in statements(on, "broker") if "cloudwatch:PutMetricData" in s["Action"]]
    assert metrics["Condition"] == {"StringEquals": {"cloudwatch:namespace": "Slipway"}}


def test_the_bucket_forgets_jobs_after_their_hours_rounded_up_to_days(local: Config) -> None:
    for hours, days in ((1, 1), (24, 1), (25, 2)):
        stack = run(changed(local, {"jobs.enabled": True, "jobs.retentionHours": hours}), "local")
        rules = stack.one("aws:s3/bucketLifecycleConfiguration:BucketLifecycleConfiguration").inputs["rules"]
        (rule,) = [rule for rule in rules if rule["id"] == "jobs"]
        assert (rule["filter"]["prefix"], rule["expiration"]["days"]) == ("jobs/", days)


def test_the_longest_stack_name_fits_every_limit_with_jobs(prod: Config) -> None:
    stack = run(changed(prod, {"jobs.enabled": True, "network.egress": "none"}), LONGEST)
    fits_every_limit(stack)
    services = {each.inputs["serviceName"].split(".")[-1] for each in stack.of("aws:ec2/vpcEndpoint:VpcEndpoint")}
    assert "monitoring" in services, "the broker's node tells CloudWatch how many wait"


def _peer(rule: Made) -> str:
    return str(rule.inputs.get("cidrIpv4") or rule.inputs.get("referencedSecurityGroupId"))

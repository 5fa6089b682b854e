"""The pipeline node: nothing of it unless it is asked for, and then nothing open, or that changes what serves."""

import re
from typing import Any

import pytest

from contract import PORTS, TAGS
from infra import addresses
from infra.settings import SettingsError, read
from tests.program.conftest import AIRFLOW, TRAINING
from tests.program.engine import Recording, as_pulumi, changed, run
from tests.program.test_grants import BUCKET, MASTER, allowed, statements
from tests.program.test_jobs import (
    EGRESS,
    GROUP,
    INGRESS,
    OBJECT,
    PARAMETER,
    SECRET,
    TEMPLATE,
    admitted,
    facts,
    inputs,
)
from tests.program.test_stack import LONGEST, fits_every_limit

Config = dict[str, Any]
POLICY = "aws:iam/rolePolicy:RolePolicy"
LIFECYCLE = "aws:s3/bucketLifecycleConfiguration:BucketLifecycleConfiguration"


@pytest.fixture(scope="module")
def on(local: Config) -> Recording:
    settings = {
        "pipeline.enabled": True,
        "pipeline.schedules": {"diabetes": "30 4 * * mon-fri", "spam": "off"},
        "pipeline.tables": {"diabetes": "diabetes"},
    }
    return run(changed(local, settings), "local")


def test_off_nothing_of_it_exists(stack: Recording) -> None:
    assert [each.name for each in stack.made if re.search(r"pipeline|airflow|training", each.name)] == []
    assert not {name for name in stack.exports if "pipeline" in name}
    assert not [host for host in facts(stack, "tracking")["mlflow_allowed_hosts"] if host.startswith("10.")]


def test_on_the_rest_of_the_stack_is_as_it_was(local_stack: Recording, on: Recording) -> None:
    """But for one more way to write MLflow's address, and the orders that the tracking node carries out."""
    before = {(each.type, each.name): inputs(each) for each in local_stack.cloud()}
    after = {(each.type, each.name): inputs(each) for each in on.cloud()}
    assert before.keys() <= after.keys()
    assert {key for key in before if before[key] != after[key]} == {
        (TEMPLATE, "slipway-local-tracking"),
        (POLICY, "slipway-local-tracking"),
        (LIFECYCLE, "slipway-local-artifacts"),
    }
    assert facts(on, "tracking")["mlflow_allowed_hosts"][-1] == "10.20.*"
    assert facts(on, "tracking")["orders"] is True


@pytest.mark.parametrize("settings", [{}, {"pipeline.enabled": True, "delivery.followAlias": False}])
def test_without_a_pipeline_node_or_a_watcher_there_are_no_orders(local: Config, settings: Config) -> None:
    """Who would give one, or carry it out, has no right to anything that belongs to them."""
    stack = run(changed(local, settings), "local")
    assert facts(stack, "tracking")["orders"] is False
    assert "orders" not in [rule["id"] for rule in stack.one(LIFECYCLE).inputs["rules"]]
    assert not [each.name for each in stack.of(POLICY) if "/orders/" in each.inputs["policy"]]
    assert not allowed(stack, "tracking", "s3:PutObject", f"{BUCKET}/releases/x.tar.zst")


def test_the_tracking_node_reads_orders_answers_them_and_adds_their_releases(on: Recording) -> None:
    files = ("order.json", "tree.tar", "claim", "log", "outcome.json")
    may = {name for name in files if allowed(on, "tracking", "s3:PutObject", f"{BUCKET}/orders/x/{name}")}
    assert may == {"claim", "log", "outcome.json"}, "what is ordered is the other node's to say"
    assert all(allowed(on, "tracking", "s3:GetObject", f"{BUCKET}/orders/x/{name}") for name in files)
    assert allowed(on, "tracking", "s3:PutObject", f"{BUCKET}/releases/x.tar.zst")
    for key in ("orders/x/order.json", "releases/x.tar.zst"):
        assert not allowed(on, "tracking", "s3:DeleteObject", f"{BUCKET}/{key}")
    listings = [s["Condition"]["StringLike"]["s3:prefix"] for s in statements(on, "tracking") if listing(s)]
    assert ["orders/*"] in listings


def test_the_bucket_forgets_orders(on: Recording) -> None:
    (rule,) = [rule for rule in on.one(LIFECYCLE).inputs["rules"] if rule["id"] == "orders"]
    assert (rule["filter"]["prefix"], rule["expiration"]["days"]) == ("orders/", 7)


def listing(statement: Config) -> bool:
    return "s3:ListBucket" in statement["Action"]


@pytest.mark.parametrize(
    ("network", "pattern"), [("10.0.0.0/8", "10.*"), ("172.20.0.0/20", "172.20.*"), ("192.168.7.0/24", "192.168.7.*")]
)
def test_addresses_of_a_network_are_known_by_the_bytes_that_all_of_them_have(network: str, pattern: str) -> None:
    from ipaddress import IPv4Network

    assert addresses.inside(IPv4Network(network)) == pattern


def test_the_node_is_one_that_can_be_replaced_and_that_no_balancer_asks(on: Recording) -> None:
    group, template = on.one(GROUP, "-pipeline"), on.one(TEMPLATE, "-pipeline")
    assert (group.inputs["minSize"], group.inputs["desiredCapacity"], group.inputs["maxSize"]) == (1, 1, 2)
    assert group.inputs["healthCheckType"] == "EC2"
    assert not group.inputs.get("targetGroupArns")
    assert {"key": TAGS.role, "value": "pipeline", "propagateAtLaunch": False} in group.inputs["tags"]
    assert template.inputs["metadataOptions"]["httpTokens"] == "required"
    assert template.inputs["instanceType"] == "t3.medium"
    assert on.exports["pipeline_group"].startswith("slipway-local-pipeline")
    assert on.exports["pipeline"]["push_branch"] == "production", "whoever pushes is to know it"


def test_nobody_but_operators_opens_a_connection_to_it(on: Recording) -> None:
    assert admitted(on, "pipeline") == {("10.20.0.0/16", PORTS.ssh)}
    assert not [rule for rule in on.of(INGRESS) if rule.inputs["fromPort"] == PORTS.airflow]


def test_it_reaches_the_database_and_mlflow_and_no_serving_node(on: Recording) -> None:
    mine = [rule.inputs for rule in on.of(EGRESS) if rule.inputs["securityGroupId"] == "slipway-local-pipeline-id"]
    inside = {(each["referencedSecurityGroupId"], int(each["fromPort"])) for each in mine if "cidrIpv4" not in each}
    assert inside == {
        ("slipway-local-database-id", PORTS.database),
        ("slipway-local-tracking-id", PORTS.node_http),
    }
    nodes = ("tracking", "pipeline")
    assert admitted(on, "database") == {(f"slipway-local-{node}-id", PORTS.database) for node in nodes}


def test_it_is_told_names_and_settings_and_no_secret(on: Recording) -> None:
    told = facts(on, "pipeline")
    assert told["pipeline"] == {
        "training_release": TRAINING,
        "airflow_release": AIRFLOW,
        "address_parameter": "/slipway/local/pipeline-address",
        "secret_arn": SECRET_ARN,
        "schedules": {"diabetes": "30 4 * * mon-fri", "spam": None},
        "tables": {"diabetes": "diabetes"},
        "debounce_seconds": 30,
        "push_branch": "production",
    }
    assert told["delivery"]["follow_alias"] is True
    assert not on.of("aws:secretsmanager/secretVersion:SecretVersion")
    assert "slipway-local-pipeline" in {secret.name for secret in on.of(SECRET)}
    parameter = on.one(PARAMETER, "-pipeline-address")
    assert parameter.inputs["value"] == "pending"
    assert {"value", "insecureValue"} <= set(parameter.ignored)


def test_its_releases_are_there_before_it_and_stay_after_it(on: Recording) -> None:
    for kind, digest in (("airflow", AIRFLOW), ("training", TRAINING)):
        upload = on.one(OBJECT, f"-local-{kind}")
        assert upload.inputs["key"] == f"releases/{digest}.tar.zst"
        assert upload.request.retainOnDelete
        assert upload.urn in on.one(GROUP, "-pipeline").after
    known = {each.urn for each in [*on.of(PARAMETER), *on.of(SECRET)]}
    assert known <= on.one(GROUP, "-pipeline").after


SECRET_ARN = "arn:aws:Secret:us-east-1:123456789012:slipway-local-pipeline"
ADMIN = "arn:aws:Secret:us-east-1:123456789012:slipway-local-mlflow-admin"
ADDRESS = "arn:aws:Parameter:us-east-1:123456789012:slipway-local-pipeline-address"
TRACKING = "arn:aws:Parameter:us-east-1:123456789012:slipway-local-tracking-address"
POINTER = "arn:aws:Parameter:us-east-1:123456789012:slipway-local-deployment"
PREFIXES = ("nodes", "releases", "rollouts", "deployments", "models", "mlflow", "jobs", "predictions", "pushed")
ORDER = [f"{BUCKET}/orders/x/{name}" for name in ("order.json", "tree.tar", "claim", "log", "outcome.json")]
MAY = {
    ("secretsmanager:GetSecretValue", SECRET_ARN),
    ("secretsmanager:PutSecretValue", SECRET_ARN),
    ("secretsmanager:GetSecretValue", ADMIN),
    ("secretsmanager:GetSecretValue", MASTER),
    ("ssm:GetParameter", TRACKING),
    ("ssm:PutParameter", ADDRESS),
    *(("s3:GetObject", f"{BUCKET}/{prefix}/x") for prefix in ("nodes", "releases", "rollouts", "pushed")),
    ("s3:PutObject", f"{BUCKET}/pushed/x"),
    *(("s3:GetObject", key) for key in ORDER),
    *(("s3:PutObject", key) for key in ORDER[:3]),
}
ACTIONS = (
    *("s3:GetObject", "s3:PutObject", "s3:DeleteObject", "ssm:GetParameter", "ssm:PutParameter"),
    *("secretsmanager:GetSecretValue", "secretsmanager:PutSecretValue", "ec2:DescribeInstances"),
)


def test_it_may_what_it_needs_and_nothing_that_changes_what_is_served(on: Recording) -> None:
    keys = [f"{BUCKET}/{prefix}/x" for prefix in PREFIXES]
    things = [SECRET_ARN, ADMIN, MASTER, ADDRESS, TRACKING, POINTER, *keys, *ORDER]
    granted = {(action, thing) for action in ACTIONS for thing in things if allowed(on, "pipeline", action, thing)}
    assert granted == MAY
    assert [s["Condition"]["StringLike"]["s3:prefix"] for s in statements(on, "pipeline") if listing(s)] == [
        ["nodes/*", "releases/*", "rollouts/*", "pushed/*"],
        ["orders/*"],
    ]


def test_the_longest_stack_name_fits_every_limit_with_pipelines(prod: Config) -> None:
    stack = run(changed(prod, {"pipeline.enabled": True, "jobs.enabled": True, "network.egress": "none"}), LONGEST)
    fits_every_limit(stack)


@pytest.mark.parametrize(
    ("setting", "value", "said"),
    [
        ("schedules", {"diabetes": "0 25 * * *"}, r"schedules\.diabetes.*'25' is no hour.*cron line"),
        ("schedules", {"diabetes": "daily"}, r"it has 1 fields and not five"),
        ("schedules", {"nothing": "0 3 * * *"}, r"schedules\.nothing.*there is no such pipeline.*diabetes, spam"),
        ("tables", {"diabetes": "a; drop table b"}, r"tables\.diabetes.*it is no table's name"),
        ("tables", {"other": "t"}, r"tables\.other.*there is no such pipeline"),
        ("debounceSeconds", 0, r"debounceSeconds is 0: it is out of range"),
        ("schedule", {}, r"there is no such setting.*Did you mean schedules"),
    ],
)
def test_what_no_scheduler_could_follow_is_refused(local: Config, setting: str, value: Any, said: str) -> None:
    config = changed(local, {"pipeline.enabled": True, f"pipeline.{setting}": value})
    with pytest.raises(SettingsError, match=said):
        read("local", as_pulumi(config), {})

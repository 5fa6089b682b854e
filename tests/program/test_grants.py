"""What nodes may do: just their own prefixes, parameters and secrets."""

import json
from fnmatch import fnmatchcase
from typing import Any

import pytest

from tests.program.engine import Recording, changed, run

BUCKET = "arn:aws:s3:::slipway-local-artifacts-0123456"
POINTER = "arn:aws:Parameter:us-east-1:123456789012:slipway-local-deployment"
ADDRESS = "arn:aws:Parameter:us-east-1:123456789012:slipway-local-tracking-address"
MASTER = "arn:aws:secretsmanager:us-east-1:123456789012:secret:rds-master"
ADMIN = "arn:aws:Secret:us-east-1:123456789012:slipway-local-mlflow-admin"
KEY = "arn:aws:Parameter:us-east-1:123456789012:slipway-local-watcher-key"
PRIVATE_KEY = "arn:aws:Secret:us-east-1:123456789012:slipway-local-watcher-key"


def statements(stack: Recording, role: str) -> list[dict[str, Any]]:
    policy = json.loads(stack.one("aws:iam/rolePolicy:RolePolicy", f"-{role}").inputs["policy"])
    found: list[dict[str, Any]] = policy["Statement"]
    return found


def allowed(stack: Recording, role: str, action: str, resource: str) -> bool:
    return any(
        statement["Effect"] == "Allow"
        and action in statement["Action"]
        and any(fnmatchcase(resource, pattern) for pattern in statement["Resource"])
        for statement in statements(stack, role)
    )


SERVING_MAY = [
    ("s3:GetObject", f"{BUCKET}/nodes/x.tar.gz"),
    ("s3:GetObject", f"{BUCKET}/releases/x.tar.zst"),
    ("s3:GetObject", f"{BUCKET}/deployments/x.json"),
    ("s3:GetObject", f"{BUCKET}/models/x.tar"),
    ("s3:ListBucket", BUCKET),
    ("ssm:GetParameter", POINTER),
    ("ssm:GetParameter", KEY),
]
SERVING_MUST_NOT = [
    ("s3:PutObject", f"{BUCKET}/nodes/x.tar.gz"),
    ("s3:PutObject", f"{BUCKET}/models/x.tar"),
    ("s3:PutObject", f"{BUCKET}/predictions/x.jsonl.gz"),
    ("s3:DeleteObject", f"{BUCKET}/deployments/x.json"),
    ("s3:GetObject", f"{BUCKET}/mlflow/1/x"),
    ("s3:GetObject", f"{BUCKET}/rollouts/lock.json"),
    ("ssm:PutParameter", POINTER),
    ("ssm:PutParameter", KEY),
    ("ssm:GetParameter", ADDRESS),
    ("secretsmanager:GetSecretValue", PRIVATE_KEY),
    ("secretsmanager:GetSecretValue", MASTER),
    ("secretsmanager:GetSecretValue", ADMIN),
]
TRACKING_MAY = [
    ("s3:GetObject", f"{BUCKET}/nodes/x.tar.gz"),
    ("s3:GetObject", f"{BUCKET}/releases/x.tar.zst"),
    ("s3:PutObject", f"{BUCKET}/mlflow/1/x"),
    ("s3:DeleteObject", f"{BUCKET}/mlflow/1/x"),
    ("secretsmanager:GetSecretValue", MASTER),
    ("secretsmanager:GetSecretValue", ADMIN),
    ("secretsmanager:PutSecretValue", ADMIN),
    ("ssm:PutParameter", ADDRESS),
]
DELIVERING = [
    ("s3:DeleteObject", f"{BUCKET}/deployments/previous.json"),
    ("s3:PutObject", f"{BUCKET}/deployments/x.json"),
    ("s3:PutObject", f"{BUCKET}/models/x.tar"),
    ("s3:GetObject", f"{BUCKET}/rollouts/lock.json"),
    ("s3:PutObject", f"{BUCKET}/rollouts/lock.json"),
    ("ssm:GetParameter", POINTER),
    ("ssm:PutParameter", POINTER),
    ("ssm:PutParameter", KEY),
    ("secretsmanager:GetSecretValue", PRIVATE_KEY),
    ("secretsmanager:PutSecretValue", PRIVATE_KEY),
    ("ec2:DescribeInstances", "*"),
    ("ec2:GetConsoleOutput", "arn:aws:ec2:us-east-1:123456789012:instance/i-0123456789abcdef0"),
]
TRACKING_MUST_NOT = [
    ("s3:PutObject", f"{BUCKET}/nodes/x.tar.gz"),
    ("s3:PutObject", f"{BUCKET}/releases/x.tar.zst"),
    ("s3:DeleteObject", f"{BUCKET}/deployments/x.json"),
    ("s3:DeleteObject", f"{BUCKET}/models/x.tar"),
    ("s3:DeleteObject", f"{BUCKET}/rollouts/x.json"),
    ("secretsmanager:PutSecretValue", MASTER),
]


@pytest.mark.parametrize(("action", "resource"), SERVING_MAY)
def test_a_serving_node_may(local_stack: Recording, action: str, resource: str) -> None:
    assert allowed(local_stack, "serving", action, resource)


@pytest.mark.parametrize(("action", "resource"), SERVING_MUST_NOT)
def test_a_serving_node_must_not(local_stack: Recording, action: str, resource: str) -> None:
    assert not allowed(local_stack, "serving", action, resource)


@pytest.mark.parametrize(("action", "resource"), TRACKING_MAY)
def test_the_tracking_node_may(local_stack: Recording, action: str, resource: str) -> None:
    assert allowed(local_stack, "tracking", action, resource)


@pytest.mark.parametrize(("action", "resource"), TRACKING_MUST_NOT)
def test_the_tracking_node_must_not(local_stack: Recording, action: str, resource: str) -> None:
    assert not allowed(local_stack, "tracking", action, resource)


@pytest.mark.parametrize("role", ["serving", "tracking"])
def test_a_node_adds_to_the_logs_of_its_role_and_reads_none(stack: Recording, role: str) -> None:
    (grant,) = json.loads(stack.one("aws:iam/rolePolicy:RolePolicy", f"-{role}-logs").inputs["policy"])["Statement"]
    assert grant["Action"] == ["s3:PutObject"]
    (resource,) = grant["Resource"]
    assert resource.endswith(f"/logs/{role}/*")
    assert not allowed(stack, role, "s3:GetObject", resource)


@pytest.mark.parametrize(("action", "resource"), DELIVERING)
def test_the_tracking_node_delivers_only_where_an_alias_is_followed(
    local_stack: Recording, unfollowed: Recording, action: str, resource: str
) -> None:
    assert allowed(local_stack, "tracking", action, resource)
    assert not allowed(unfollowed, "tracking", action, resource)


CHAT = "arn:aws:Secret:us-east-1:123456789012:slipway-local-webhook"
OPTIONAL = [
    ("delivery.buildReleases", "s3:PutObject", f"{BUCKET}/releases/x.tar.zst"),
    ("delivery.webhook", "secretsmanager:GetSecretValue", CHAT),
]


@pytest.mark.parametrize(("setting", "action", "resource"), OPTIONAL)
def test_what_a_setting_asks_for_is_granted_with_it_alone_and_to_who_delivers(
    local: dict[str, Any], local_stack: Recording, setting: str, action: str, resource: str
) -> None:
    stack = run(changed(local, {setting: True}), "local")
    assert allowed(stack, "tracking", action, resource)
    assert not allowed(stack, "serving", action, resource)
    assert not allowed(local_stack, "tracking", action, resource)
    idle = run(changed(local, {setting: True, "delivery.followAlias": False}), "local")
    assert not allowed(idle, "tracking", action, resource)


def test_a_release_is_added_and_none_is_deleted(local: dict[str, Any]) -> None:
    stack = run(changed(local, {"delivery.buildReleases": True}), "local")
    assert not allowed(stack, "tracking", "s3:DeleteObject", f"{BUCKET}/releases/x.tar.zst")
    assert not allowed(stack, "tracking", "s3:PutObject", f"{BUCKET}/nodes/x.tar.gz")


def test_a_console_is_read_of_this_stacks_nodes_only(local_stack: Recording) -> None:
    (reading,) = [s for s in statements(local_stack, "tracking") if "ec2:GetConsoleOutput" in s["Action"]]
    assert reading["Condition"] == {"StringEquals": {"aws:ResourceTag/slipway-stack": "local"}}


def test_a_stack_that_follows_nothing_has_no_key_for_it(unfollowed: Recording) -> None:
    made = [*unfollowed.of("aws:ssm/parameter:Parameter"), *unfollowed.of("aws:secretsmanager/secret:Secret")]
    assert made
    assert not [each.name for each in made if "watcher" in each.name]
    assert not allowed(unfollowed, "serving", "ssm:GetParameter", KEY)


@pytest.fixture(scope="module")
def unfollowed(local: dict[str, Any]) -> Recording:
    return run(changed(local, {"delivery.followAlias": False}), "local")


def test_no_grant_is_wider_than_a_prefix(stack: Recording) -> None:
    """EC2 knows no resource for descriptions, CloudWatch none for metrics: those are bounded by their namespace."""
    for role in ("serving", "tracking"):
        for statement in statements(stack, role):
            assert not [action for action in statement["Action"] if "*" in action]
            wide = [resource for resource in statement["Resource"] if resource in ("*", f"{BUCKET}/*")]
            describes = [action.partition(":")[2][:8] for action in statement["Action"]] == ["Describe"]
            bounded = "cloudwatch:namespace" in statement.get("Condition", {}).get("StringEquals", {})
            assert not wide or describes or bounded


def test_who_delivers_lists_only_what_a_rollout_writes_beside_its_own(local_stack: Recording) -> None:
    listings = [s for s in statements(local_stack, "tracking") if "s3:ListBucket" in s["Action"]]
    assert [each["Condition"]["StringLike"]["s3:prefix"] for each in listings] == [
        ["nodes/*", "releases/*", "mlflow/*"],
        ["deployments/*", "models/*", "rollouts/*"],
    ]


def test_listing_is_limited_to_the_roles_prefixes(unfollowed: Recording) -> None:
    prefixes = {
        "serving": ["nodes/*", "releases/*", "deployments/*", "models/*"],
        "tracking": ["nodes/*", "releases/*", "mlflow/*"],
    }
    for role, own in prefixes.items():
        (listing,) = [s for s in statements(unfollowed, role) if "s3:ListBucket" in s["Action"]]
        assert listing["Condition"] == {"StringLike": {"s3:prefix": own}}


def test_only_ec2_assumes_the_nodes_roles(stack: Recording) -> None:
    for role in stack.of("aws:iam/role:Role"):
        (trust,) = json.loads(role.inputs["assumeRolePolicy"])["Statement"]
        assert trust["Principal"] == {"Service": "ec2.amazonaws.com"}


def test_the_bucket_refuses_everybody_without_tls(stack: Recording) -> None:
    (deny,) = json.loads(stack.one("aws:s3/bucketPolicy:BucketPolicy").inputs["policy"])["Statement"]
    assert (deny["Effect"], deny["Principal"], deny["Action"]) == ("Deny", "*", "s3:*")
    assert deny["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}
    assert len(deny["Resource"]) == 2, "the bucket and what is in it"

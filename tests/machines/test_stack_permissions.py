"""Least privilege, from the record of every call that the nodes have made since they booted."""

import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import unquote

import boto3
import pytest

from localcloud.api import calls, policy
from localcloud.api.actions import ALWAYS_ALLOWED
from tests.machines.live import Live
from tests.machines.models import NO_DEPLOYMENT

# What this tier gives no node a reason to do: artifacts that are deleted, or whose upload is broken off,
# and jobs that are old. Listing is no
# call that a serving node makes: the grant is what tells "not found" from "forbidden". A metric is
# written when a rollout of the watcher's goes back, and by a broker's node once it is a minute old.
NOT_TRIED = {
    ("tracking", "s3:DeleteObject"),
    ("tracking", "s3:AbortMultipartUpload"),
    ("serving", "s3:ListBucket"),
    ("tracking", "cloudwatch:PutMetricData"),
    ("serving", "s3:DeleteObject"),
    ("broker", "s3:ListBucket"),
    ("broker", "cloudwatch:PutMetricData"),
    ("pipeline", "s3:ListBucket"),
}
KINDS = ("serving", "tracking", "broker", "pipeline")


def documents(role: str) -> list[Mapping[str, Any]]:
    """The role's policies as AWS would give them."""
    iam = boto3.client("iam")
    inline = [
        iam.get_role_policy(RoleName=role, PolicyName=name)["PolicyDocument"]
        for name in iam.list_role_policies(RoleName=role)["PolicyNames"]
    ]
    assert iam.list_attached_role_policies(RoleName=role)["AttachedPolicies"] == [], "every grant is the program's own"
    return [json.loads(unquote(each)) if isinstance(each, str) else each for each in inline]


@pytest.fixture(scope="module")
def roles(stack: Live) -> dict[str, str]:
    """The role of each kind of node, by the name that its grants are reported under."""
    names = [role["RoleName"] for role in boto3.client("iam").list_roles()["Roles"]]
    return {kind: name for kind in KINDS for name in names if f"-{kind}-" in name}


@pytest.fixture(scope="module")
def made(stack: Live, roles: dict[str, str]) -> dict[str, list[dict[str, Any]]]:
    """The calls of each kind of node."""
    everything = list(calls.read(stack.state.calls))
    return {kind: [call for call in everything if call["caller"].endswith(f"/{name}")] for kind, name in roles.items()}


def test_every_call_is_made_by_a_role_that_may(made: dict[str, list[dict[str, Any]]], roles: dict[str, str]) -> None:
    for kind, name in roles.items():
        assert made[kind], f"{kind} nodes have made no call"
        granted = documents(name)
        for call in made[kind]:
            if call["action"] not in ALWAYS_ALLOWED:
                decision = policy.evaluate(granted, call["action"], call["resource"], call["context"])
                assert decision.allowed, f"{kind}: {call['action']} on {call['resource']}: {decision.reason}"


def test_no_node_was_refused_anything(made: dict[str, list[dict[str, Any]]]) -> None:
    refused = [call for each in made.values() for call in each if call["status"] == 403]
    assert [call for call in refused if not call["resource"].endswith(f"/{NO_DEPLOYMENT}.json")] == []


def test_no_grant_is_wider_than_what_was_used(made: dict[str, list[dict[str, Any]]], roles: dict[str, str]) -> None:
    unused = set()
    for kind, name in roles.items():
        used = {call["action"].lower() for call in made[kind]}
        for statement in policy.statements(documents(name)):
            assert statement["Effect"] == "Allow"
            actions = policy.as_list(statement["Action"])
            described = all(action.partition(":")[2].startswith("Describe") for action in actions)
            bounded = "cloudwatch:namespace" in statement.get("Condition", {}).get("StringEquals", {})
            assert described or bounded or "*" not in policy.as_list(statement["Resource"]), (
                f"{kind}: a grant on everything"
            )
            assert not any("*" in action for action in actions), f"{kind}: {actions}"
            unused |= {(kind, action) for action in actions if action.lower() not in used}
    print("grants that nobody used:", sorted(unused))
    assert unused <= NOT_TRIED


def test_nodes_cannot_write_what_other_nodes_serve(stack: Live, roles: dict[str, str]) -> None:
    """But for the tracking node, which follows the alias: it delivers, from releases that others have made, and adds
    those that are pushed to a pipeline node."""
    bucket, parameters = f"arn:aws:s3:::{stack.outputs['bucket']}", "arn:aws:ssm:us-east-1:123456789012:parameter"
    written = {
        kind: {
            prefix
            for prefix in ("nodes", "releases", "deployments", "models", "rollouts")
            if policy.evaluate(documents(name), "s3:PutObject", f"{bucket}/{prefix}/x").allowed
        }
        for kind, name in roles.items()
    }
    added = {"releases"} if "pipeline" in roles else set()
    assert written.pop("tracking") == {"deployments", "models", "rollouts"} | added
    assert not any(written.values()), written
    for name in ("deployment", "watcher-key", "tracking-address"):
        decision = policy.evaluate(
            documents(roles["serving"]), "ssm:PutParameter", f"{parameters}/slipway/local/{name}"
        )
        assert not decision.allowed, f"a serving node may write {name}"

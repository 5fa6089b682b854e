"""In which order the stack is made, and what is made once and then left to rollouts."""

import base64
from typing import Any

import pytest

from contract import S3
from contract.node_files import Role
from infra import bundle
from tests.program.conftest import CONTROL, DEPLOYMENT, SERVER
from tests.program.engine import Made, Recording, changed, run

GROUP = "aws:autoscaling/group:Group"
TEMPLATE = "aws:ec2/launchTemplate:LaunchTemplate"
RULE = "aws:lb/listenerRule:ListenerRule"
OBJECT = "aws:s3/bucketObjectv2:BucketObjectv2"
INGRESS = "aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule"
EGRESS = "aws:vpc/securityGroupEgressRule:SecurityGroupEgressRule"

Config = dict[str, Any]


NEEDED_BEFORE_BOOT = [
    RULE,
    "aws:ec2/route:Route",
    "aws:ec2/routeTableAssociation:RouteTableAssociation",
    "aws:ec2/vpcEndpoint:VpcEndpoint",
    "aws:s3/bucketPolicy:BucketPolicy",
    "aws:ssm/parameter:Parameter",
    OBJECT,
    INGRESS,
    EGRESS,
]


@pytest.mark.parametrize("kind", NEEDED_BEFORE_BOOT)
def test_no_node_starts_before_what_its_boot_needs(stack: Recording, kind: str) -> None:
    assert stack.of(kind)
    for group in stack.of(GROUP):
        missing = [made.name for made in stack.of(kind) if made.urn not in group.after]
        others = {f"{other.name}-files" for other in stack.of(GROUP) if other is not group}
        assert set(missing) <= others, f"{group.name} may start before {missing}"
        assert f"{group.name}-files" not in missing


def test_no_node_starts_before_its_roles_grants(stack: Recording) -> None:
    for group in stack.of(GROUP):
        assert stack.one("aws:iam/rolePolicy:RolePolicy", group.name).urn in group.after


def test_interface_endpoints_stand_before_any_node_starts(local: Config) -> None:
    stack = run(changed(local, {"network.egress": "none"}), "local")
    endpoints = stack.of("aws:ec2/vpcEndpoint:VpcEndpoint")
    assert {e.inputs["serviceName"].split(".")[-1] for e in endpoints} == {"s3", "ssm", "secretsmanager", "ec2"}
    for group in stack.of(GROUP):
        assert {endpoint.urn for endpoint in endpoints} <= group.after


def test_the_balancer_waits_for_the_internet_gateways_route(stack: Recording) -> None:
    assert stack.one("aws:ec2/route:Route", "-public-out").urn in stack.one("aws:lb/loadBalancer:LoadBalancer").after


def test_the_bucket_policy_waits_for_the_public_access_block(stack: Recording) -> None:
    block = stack.one("aws:s3/bucketPublicAccessBlock:BucketPublicAccessBlock")
    assert block.urn in stack.one("aws:s3/bucketPolicy:BucketPolicy").after


def test_what_rollouts_own_is_created_once_and_then_ignored(stack: Recording) -> None:
    for parameter in stack.of("aws:ssm/parameter:Parameter"):
        assert {"value", "insecureValue"} <= set(parameter.ignored)
    for upload in _rollouts(stack):
        assert upload.request.retainOnDelete, "a later upload would delete what a rollback needs"
        assert {"key", "source", "content"} <= set(upload.ignored)


def test_the_first_release_and_deployment_are_uploaded(stack: Recording) -> None:
    assert {upload.inputs["key"] for upload in _rollouts(stack)} == {
        f"releases/{SERVER}.tar.zst",
        f"releases/{CONTROL}.tar.zst",
        f"deployments/{DEPLOYMENT}.json",
    }
    assert stack.one("aws:ssm/parameter:Parameter", "-deployment").inputs["value"] == DEPLOYMENT


@pytest.mark.parametrize("role", ["serving", "tracking"])
def test_a_nodes_files_are_uploaded_and_named_by_its_user_data(stack: Recording, role: Role) -> None:
    files, template = stack.one(OBJECT, f"-{role}-files"), stack.one(TEMPLATE, f"-{role}")
    assert files.inputs["key"] == bundle.bundle(role).key
    assert base64.b64decode(files.inputs["contentBase64"]) == bundle.bundle(role).packed
    assert files.inputs["key"] in base64.b64decode(template.inputs["userData"]).decode()
    assert files.request.retainOnDelete, "a refresh under way still starts nodes from the bundle before"
    assert files.ignored == []


def test_the_desired_capacity_is_ignored_only_when_something_else_owns_it(local: Config) -> None:
    assert run(local, "local").one(GROUP, "-serving").ignored == []
    scaled = run(changed(local, {"fleet.autoscaling": True}), "local")
    assert scaled.one(GROUP, "-serving").ignored == ["desiredCapacity"]


def _rollouts(stack: Recording) -> list[Made]:
    """The uploads below the prefixes that rollouts own ever after."""
    return [made for made in stack.of(OBJECT) if not made.inputs["key"].startswith(S3.nodes)]

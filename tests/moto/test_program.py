"""The whole program under the real engine, against the API without machines: up, drift, update, replacement, end.

One stack for the module, in the order of its life: each test leaves it as its settings say, the last one destroys it.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.moto.cloud import ENVIRONMENT, client
from tests.moto.engine import ROOT, Stack
from tests.program.conftest import bootstrap
from tests.program.engine import KEY, changed, stack_config

PROGRAM = f"import runpy\n\nrunpy.run_path('{ROOT}/infra', run_name='__main__')\n"
NO_CHANGE = "--expect-no-changes"
POINTER = "/slipway/slipway/deployment"


class Life:
    """The stack, and the API that it lives in."""

    def __init__(self, stack: Stack, endpoint: str, settings: Mapping[str, Any]) -> None:
        self.stack, self._endpoint, self._settings = stack, endpoint, settings

    def client(self, service: str) -> Any:
        return client(service, self._endpoint)

    def set(self, changes: Mapping[str, Any]) -> None:
        """The stack's settings with these changes, and no others."""
        file = self.stack.folder / "Pulumi.slipway.yaml"
        kept = yaml.safe_load(file.read_text())
        file.write_text(yaml.safe_dump(kept | {"config": changed(self._settings, changes)}))

    def nodes(self) -> list[Any]:
        reservations = self.client("ec2").describe_instances(
            Filters=[{"Name": "instance-state-name", "Values": ["pending", "running"]}]
        )["Reservations"]
        return [node for reservation in reservations for node in reservation["Instances"]]

    def types(self, role: str) -> list[str]:
        return [node["InstanceType"] for node in self.nodes() if {"Key": "slipway-role", "Value": role} in node["Tags"]]


@pytest.fixture(scope="module")
def life(pulumi: Path, cloud: str, tmp_path_factory: pytest.TempPathFactory) -> Life:
    releases = bootstrap(tmp_path_factory.mktemp("releases"))
    settings = changed(stack_config("local"), {"releases": str(releases), "operatorPublicKey": KEY})
    environment = {**ENVIRONMENT, "AWS_ENDPOINT_URL": cloud, "PYTHONDONTWRITEBYTECODE": ""}
    stack = Stack(tmp_path_factory.mktemp("program") / "project", pulumi, environment, name="slipway")
    stack.create(PROGRAM)
    living = Life(stack, cloud, settings)
    living.set({})
    said = stack.up().stdout
    assert "fleet: 2 of 2 healthy" in said, "up returned before the nodes were healthy"
    assert "tracking: 1 of 1 healthy" in said
    return living


@pytest.fixture(autouse=True)
def _as_the_checkout_says(life: Life) -> Iterator[None]:
    yield
    life.set({})


def test_a_second_up_and_a_refresh_change_nothing(life: Life) -> None:
    life.stack.up(NO_CHANGE)
    life.stack.run("refresh", "--yes", "--skip-preview", NO_CHANGE)


def test_every_node_is_what_its_template_says(life: Life) -> None:
    for node in life.nodes():
        assert node["MetadataOptions"]["HttpTokens"] == "required"
        assert node["IamInstanceProfile"]["Arn"]
        assert len(node["BlockDeviceMappings"]) == 1, "a second disk means that the root is not the encrypted one"


def test_a_pointer_that_a_rollout_moved_stays_moved(life: Life) -> None:
    ssm = life.client("ssm")
    ssm.put_parameter(Name=POINTER, Value="d" * 12, Overwrite=True)
    life.stack.refresh()
    life.stack.up(NO_CHANGE)
    assert ssm.get_parameter(Name=POINTER)["Parameter"]["Value"] == "d" * 12


def test_a_rule_that_somebody_removed_is_missed_and_restored(life: Life) -> None:
    name = "slipway-slipway-serving-8080-from-balancer"
    rule = life.stack.resource(name)
    life.client("ec2").revoke_security_group_ingress(
        GroupId=rule["inputs"]["securityGroupId"], SecurityGroupRuleIds=[rule["id"]]
    )
    assert name in life.stack.refresh()
    life.stack.up()
    assert life.stack.resource(name)["id"] != rule["id"]
    life.stack.up(NO_CHANGE)


def test_another_instance_type_replaces_the_nodes(life: Life) -> None:
    assert life.types("serving") == ["t3.small", "t3.small"]
    life.set({"fleet.instanceType": "t3.large", "fleet.drainSeconds": 30})
    planned = {step["urn"].split("::")[-1]: step["op"] for step in life.stack.preview()}
    assert planned == {"slipway-slipway-serving": "update"}, "the template, and the group that follows it"
    life.stack.up()
    assert life.types("serving") == ["t3.large", "t3.large"]
    assert life.types("tracking") == ["t3.medium"]


def test_a_changed_subnet_is_replaced_and_its_nodes_move(life: Life) -> None:
    life.set({"network.subnets": {"us-east-1a": {"private": "10.20.192.0/20"}}})
    life.stack.up()
    ranges = {subnet["CidrBlock"] for subnet in life.client("ec2").describe_subnets()["Subnets"]}
    assert "10.20.192.0/20" in ranges
    assert "10.20.64.0/20" not in ranges, "the old one still has a node in it"


def test_a_setting_that_ec2_refuses_changes_nothing(life: Life) -> None:
    life.set({"fleet.instanceType": "t3.enormous"})
    refused = life.stack.up(check=False)
    assert refused.returncode != 0
    assert "slipway:fleet.instanceType is 't3.enormous'" in refused.stdout
    assert "Traceback" not in refused.stdout


def test_a_destroy_leaves_nothing_and_the_name_is_free_again(life: Life) -> None:
    life.stack.destroy()
    assert not life.nodes()
    assert not life.client("s3").list_buckets()["Buckets"]
    assert not life.client("ssm").describe_parameters()["Parameters"]
    assert not life.client("secretsmanager").list_secrets()["SecretList"]
    assert not life.client("rds").describe_db_instances()["DBInstances"]
    assert not life.client("elbv2").describe_load_balancers()["LoadBalancers"]
    life.stack.up()
    life.stack.destroy()

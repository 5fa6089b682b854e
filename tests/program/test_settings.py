"""What the program says to settings that it cannot use: the value, the reason and the way out, before any resource."""

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pulumi
import pytest

from infra.settings import SettingsError, read
from tests.program.answers import RefusedError
from tests.program.engine import KEY, as_pulumi, changed, run

Config = dict[str, Any]


def refusal(config: Config, stack: str = "test", environment: Mapping[str, str] | None = None) -> str:
    with pytest.raises(SettingsError) as caught:
        read(stack, as_pulumi(config), environment or {})
    return str(caught.value)


def test_the_stacks_of_the_checkout_are_valid(local: Config, dev: Config, prod: Config) -> None:
    assert read("local", as_pulumi(local), {}).fleet.desired == 2
    assert read("prod", as_pulumi(prod), {}).domain.https
    assert read("dev", as_pulumi(dev), {}).domain.https


def test_the_development_stack_is_one_small_node_that_leaves_nothing(dev: Config, prod: Config) -> None:
    small, large = read("dev", as_pulumi(dev), {}), read("prod", as_pulumi(prod), {})
    assert (small.fleet.desired, small.fleet.maximum) == (1, 2)
    assert small.storage.force_destroy
    assert not any([small.database.protected, small.database.final_snapshot, small.balancer.protected])
    assert (small.image_id, small.database.engine_version) == (large.image_id, large.database.engine_version)
    assert small.delivery.alias == large.delivery.alias
    assert not small.network.cidr.overlaps(large.network.cidr)


def test_every_missing_setting_is_named_at_once() -> None:
    message = refusal({})
    for setting in ("aws.region", "allowedCidrs", "imageId", "network.zones", "fleet.instanceType", "instanceClass"):
        assert setting in message, f"{setting} is not in the one message that the operator gets"


def test_nobody_is_admitted_by_default(local: Config) -> None:
    assert "slipway:allowedCidrs is not set: it is required" in refusal(changed(local, {"allowedCidrs": None}))


REFUSED = [
    ({"fleet.desired": "two"}, "slipway:fleet.desired is 'two': it is not a whole number"),
    ({"fleet.desired": 0}, "slipway:fleet.desired is 0: it is out of range. Give a number from 1 to 200."),
    ({"fleet.desired": 9}, "minimum 1 ≤ desired 9 ≤ maximum 4 does not hold"),
    ({"fleet.sise": 2}, "slipway:fleet.sise is 2: there is no such setting."),
    ({"flet": {}}, "Did you mean fleet?"),
    ({"fleet": "big"}, "it is not a group of settings"),
    ({"fleet.instanceType": "large"}, "It should look like t3.medium."),
    ({"storage.forceDestroy": "maybe"}, "it is neither true nor false"),
    ({"network.egress": "vpn"}, "Choose one of single-nat, nat-per-zone, none."),
    ({"network.zones": ["us-east-1a"]}, "the load balancer needs at least two zones"),
    ({"network.zones": ["us-east-1a", "us-east-1a"]}, "a zone is named twice"),
    ({"network.zones": ["us-east-1a", "eu-west-1b"]}, "eu-west-1b is not in aws:region us-east-1"),
    ({"network.zones": ["a", "b"]}, "'a' is malformed"),
    ({"network.cidr": "10.20.0.0/15"}, "Give a range from /16 to /22."),
    ({"network.cidr": "10.20.0.1/16"}, "it is not an IPv4 range (10.20.0.1/16 has host bits set)"),
    ({"network.cidr": "8.8.0.0/16"}, "it is not a private range"),
    ({"network.subnets": {"us-east-1a": {"public": "10.20.64.0/20"}}}, "us-east-1a.public 10.20.64.0/20, us-east-1a"),
    ({"network.subnets": {"us-east-1a": {"public": "10.99.0.0/20"}}}, "within network.cidr 10.20.0.0/16"),
    ({"network.subnets": {"us-east-1f": {"public": "10.20.192.0/20"}}}, "us-east-1f is not one of network.zones"),
    ({"network.subnets": {"us-east-1a": {"publik": "10.20.192.0/20"}}}, "Did you mean public?"),
    ({"allowedCidrs": ["0.0.0.0/0"]}, "it opens plain HTTP to the world"),
    ({"allowedCidrs": ["203.0.113.0/24"]}, "plain HTTP would carry MLflow's passwords from 203.0.113.0/24"),
    ({"allowedCidrs": "127.0.0.0/8"}, "it is not a list"),
    ({"mlflow.listenerPort": 8080}, "a listener for predictions has that port"),
    ({"mlflow.hostName": "mlflow.example.com"}, "MLflow has a host name and a listener port"),
    ({"mlflow": {"hostName": "mlflow.example.com"}}, "MLflow's passwords would travel unencrypted"),
    ({"domain": {"name": "models.example.com"}}, "there is no certificate for it"),
    ({"domain": {"zoneId": "Z0123"}}, "there is no name to put there"),
    (
        {"domain": {"certificateArn": "arn:aws:acm:eu-west-1:123456789012:certificate/x"}},
        "takes certificates of its own region, us-east-1, only",
    ),
    ({"operatorAccess": "none"}, "operatorAccess none admits no range"),
    ({"operatorCidrs": ["0.0.0.0/0"]}, "SSH is admitted from inside network.cidr 10.20.0.0/16 only"),
    ({"operatorCidrs": None}, "slipway:operatorCidrs is not set: it is required"),
    ({"operatorPublicKey": "-----BEGIN OPENSSH PRIVATE KEY-----"}, "It should look like ssh-ed25519"),
    ({"operatorPublicKey": "ecdsa-sha2-nistp256 AAAAE2Vj me"}, "EC2 takes ED25519 and RSA keys only"),
    ({"operatorPublicKey": "sk-ssh-ed25519@openssh.com AAAAGnNr me"}, "EC2 takes ED25519 and RSA keys only"),
    ({"operatorPublicKey": None}, "slipway:operatorPublicKey is not set"),
    ({"database.engineVersion": "15.4"}, '"15", a major version'),
    ({"database.storageGib": 100}, "it must exceed storageGib 100 by a tenth"),
    ({"delivery.index": "http://packages.example/simple"}, "It should look like https://pypi.org/simple, by https"),
    (
        {"delivery.index": "https://packages.example:8443/simple"},
        "slipway:delivery.index is 'https://packages.example:8",
    ),
    ({"delivery.index": "https://me:word@packages.example/simple"}, "it holds a login, which the stack's state"),
    (
        {"delivery.webhook": "https://chat.example/hook"},
        "slipway:delivery.webhook is 'https://chat.example/hook': it is",
    ),
    ({"secretRecoveryDays": 3}, "Secrets Manager knows 0 or 7 to 30 days"),
    ({"imageId": "debian-12"}, "It should look like ami-"),
    ({"tracking.controlRelease": "latest"}, "64 hexadecimal digits"),
    ({"releases": "/nowhere/bootstrap.json"}, "Run `make release` first."),
]


def test_a_login_in_the_indexs_address_is_not_shown(local: Config) -> None:
    message = refusal(changed(local, {"delivery.index": "https://me:word@packages.example/simple"}))
    assert "word" not in message
    assert "slipway:delivery.index is 'https://…@packages.example/simple'" in message


@pytest.mark.parametrize(("changes", "says"), REFUSED, ids=[says for _, says in REFUSED])
def test_a_setting_that_cannot_be_used_is_refused(local: Config, changes: Config, says: str) -> None:
    assert says in refusal(changed(local, changes))


def test_a_number_set_on_the_command_line_is_one(local: Config) -> None:
    assert read("local", as_pulumi(changed(local, {"fleet.desired": "3"})), {}).fleet.desired == 3


@pytest.mark.parametrize("stack", ["Prod", "a-very-long-name", "under_score", "-x", "x-", "1st", "a--b"])
def test_a_stack_name_that_cannot_be_in_resource_names_is_refused(local: Config, stack: str) -> None:
    assert "it cannot be part of resource names" in refusal(local, stack)


def test_the_operators_key_may_come_from_a_file_that_the_environment_names(local: Config, tmp_path: Path) -> None:
    file = tmp_path / "key.pub"
    file.write_text(f"{KEY}\n")
    without = as_pulumi(changed(local, {"operatorPublicKey": None}))
    settings = read("local", without, {"SLIPWAY_OPERATOR_PUBLIC_KEY_FILE": str(file)})
    assert settings.operator_public_key == KEY


def test_a_key_file_that_cannot_be_read_is_refused(local: Config, tmp_path: Path) -> None:
    environment = {"SLIPWAY_OPERATOR_PUBLIC_KEY_FILE": str(tmp_path / "no.pub")}
    assert "No such file" in refusal(changed(local, {"operatorPublicKey": None}), environment=environment)


def test_the_settings_win_over_the_environments_key_file(local: Config) -> None:
    settings = read("local", as_pulumi(local), {"SLIPWAY_OPERATOR_PUBLIC_KEY_FILE": "/nowhere"})
    assert settings.operator_public_key == KEY


def test_a_cloud_that_cannot_be_used_is_not_blamed_on_a_setting(local: Config) -> None:
    answers = {"aws:index/getCallerIdentity:getCallerIdentity": RefusedError("ExpiredToken: the token is expired")}
    with pytest.raises(pulumi.RunError) as caught:
        run(local, "local", answers)
    assert str(caught.value) == "the cloud cannot be used, and nothing was changed: ExpiredToken: the token is expired"


UNUSABLE = [
    (
        {"aws:ec2/getInstanceType:getInstanceType": RefusedError("InvalidInstanceType: t3.huge does not exist")},
        "slipway:fleet.instanceType is 't3.small': EC2 does not know it here: InvalidInstanceType: t3.huge",
    ),
    (
        {"aws:ec2/getInstanceType:getInstanceType": {"supportedArchitectures": ["arm64"]}},
        "it runs arm64, and image ami-05119a4debb1a1212 is x86_64",
    ),
    (
        {
            "aws:ec2/getAmi:getAmi": {"architecture": "arm64", "rootDeviceName": "/dev/xvda"},
            "aws:ec2/getInstanceType:getInstanceType": {"supportedArchitectures": ["arm64"]},
        },
        "it is arm64, and the releases are built for x86_64",
    ),
    ({"aws:ec2/getAmi:getAmi": RefusedError("your query returned no results")}, "Name an image that this region has."),
]


@pytest.mark.parametrize(("answers", "says"), UNUSABLE, ids=[says for _, says in UNUSABLE])
def test_a_machine_that_cannot_boot_is_refused_before_the_first_resource(
    local: Config, answers: dict[str, Any], says: str
) -> None:
    with pytest.raises(SettingsError) as caught:
        run(local, "local", answers)
    assert says in str(caught.value)


@pytest.mark.parametrize(("group", "kind"), [("jobs", "jobs"), ("pipeline", "training"), ("pipeline", "airflow")])
def test_a_checkout_without_a_release_that_its_settings_want_is_told_to_make_it(
    local: Config, tmp_path: Path, group: str, kind: str
) -> None:
    described = json.loads(Path(local["slipway:releases"]).read_text())
    del described[kind]
    file = tmp_path / "bootstrap.json"
    file.write_text(json.dumps(described))
    wanting = changed(local, {f"{group}.enabled": True, "releases": str(file)})
    said = rf"{group}\.enabled is True: there is no {kind} release.*make release"
    assert re.search(said, refusal(wanting, "local"))
    assert read("local", as_pulumi(changed(wanting, {f"{group}.enabled": False})), {}).optional_kinds == []

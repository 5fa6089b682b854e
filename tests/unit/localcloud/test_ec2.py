"""What the EC2 controller decides, and the command line of a machine."""

from datetime import UTC, datetime
from ipaddress import IPv4Address, IPv4Network

import pytest

from localcloud.ec2 import Step, next_step
from localcloud.machine import Power, router
from localcloud.model import Instance, InstanceState
from localcloud.nspawn import nspawn_argv


def instance(**changes: object) -> Instance:
    values: dict[str, object] = {
        "id": "i-0123456789abcdef0",
        "state": "running",
        "image_id": "ami-05119a4debb1a1212",
        "instance_type": "t3.small",
        "memory_mib": 2048,
        "vcpus": 2,
        "private_ip": IPv4Address("10.20.1.10"),
        "private_dns": "ip-10-20-1-10.ec2.internal",
        "mac": "0a:11:22:33:44:55",
        "zone": "us-east-1a",
        "region": "us-east-1",
        "account": "123456789012",
        "subnet_id": "subnet-1",
        "subnet_cidr": IPv4Network("10.20.1.0/24"),
        "vpc_id": "vpc-1",
        "vpc_cidr": IPv4Network("10.20.0.0/16"),
        "security_group_ids": (),
        "user_data": b"",
        "role_arn": None,
        "instance_profile_arn": None,
        "key_name": None,
        "public_key": None,
        "http_tokens": "required",
        "http_endpoint": "enabled",
        "hop_limit": 1,
        "instance_metadata_tags": True,
        "launched": datetime.now(UTC),
    }
    return Instance(**{**values, **changes})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("wanted", "power", "step"),
    [
        ("pending", None, Step.BOOT),
        ("pending", Power.OFF, Step.BOOT),
        ("pending", Power.ON, Step.SAY_RUNNING),
        ("running", Power.ON, None),
        ("running", Power.REBOOTING, Step.BOOT),
        ("running", Power.OFF, Step.SAY_STOPPED),
        ("running", Power.CRASHED, Step.SAY_STOPPED),
        ("stopping", Power.ON, Step.SWITCH_OFF),
        ("stopping", Power.OFF, Step.SWITCH_OFF),
        ("stopped", Power.OFF, None),
        ("stopped", Power.REBOOTING, Step.SWITCH_OFF),
        ("shutting-down", Power.ON, Step.DESTROY),
        ("shutting-down", None, Step.DESTROY),
        ("terminated", Power.ON, Step.DESTROY),
        ("terminated", None, None),
    ],
)
def test_every_state_that_the_api_wants_has_its_next_step(
    wanted: InstanceState, power: Power | None, step: Step | None
) -> None:
    assert next_step(wanted, power) is step


def test_a_reboot_is_answered_only_by_a_machine_that_runs() -> None:
    assert next_step("running", Power.ON, reboot=True) is Step.REBOOT
    assert next_step("stopping", Power.ON, reboot=True) is Step.SWITCH_OFF
    assert next_step("running", Power.CRASHED, reboot=True) is Step.SAY_STOPPED


def test_a_machine_gets_its_name_from_dns_and_its_network_card_from_the_api() -> None:
    words = nspawn_argv(instance(), "slipway-0a1b2c-i-0123456789abcdef0")
    assert "--hostname=ip-10-20-1-10" in words, "DHCP goes by the short name"
    assert words[-1] == "0a:11:22:33:44:55"
    assert "--network-bridge=br0" in words


def test_a_machine_needs_nothing_of_a_service_manager_on_the_host() -> None:
    words = nspawn_argv(instance(), "m")
    assert {"--register=no", "--keep-unit", "--settings=no"} <= set(words)
    assert "--console=read-only" in words, "with a pipe the guest has no console, and its host keys never show"


def test_a_subnets_router_is_its_first_address() -> None:
    assert str(router(instance())) == "10.20.1.1/24"

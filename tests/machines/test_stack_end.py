"""The end of the stack: destroyed, killed halfway through another beginning, and taken down without a trace."""

import os
import signal
import subprocess
from pathlib import Path
from typing import Any

import boto3
import pytest

from localcloud.cgroup import Cgroup
from localcloud.machine import PROPAGATE
from localcloud.state import start_time
from ops.environment import STACK
from ops.run import run
from tests.machines.live import Live, fingerprint
from tests.waiting import until


def api_objects() -> dict[str, list[Any]]:
    """What the account holds that a fresh one does not, by kind."""
    ec2, elb = boto3.client("ec2"), boto3.client("elbv2")
    instances = [each for group in ec2.describe_instances()["Reservations"] for each in group["Instances"]]
    return {
        "instances": [each["InstanceId"] for each in instances if each["State"]["Name"] != "terminated"],
        "networks": [each["VpcId"] for each in ec2.describe_vpcs()["Vpcs"] if not each["IsDefault"]],
        "subnets": [each["SubnetId"] for each in ec2.describe_subnets()["Subnets"] if not each["DefaultForAz"]],
        "groups": [
            g["GroupName"] for g in ec2.describe_security_groups()["SecurityGroups"] if g["GroupName"] != "default"
        ],
        "disks": [each["VolumeId"] for each in ec2.describe_volumes()["Volumes"]],
        "interfaces": [each["NetworkInterfaceId"] for each in ec2.describe_network_interfaces()["NetworkInterfaces"]],
        "addresses": ec2.describe_addresses()["Addresses"],
        "gateways": [
            each["NatGatewayId"] for each in ec2.describe_nat_gateways()["NatGateways"] if each["State"] != "deleted"
        ],
        "endpoints": [
            each["VpcEndpointId"] for each in ec2.describe_vpc_endpoints()["VpcEndpoints"] if each["State"] != "deleted"
        ],
        "templates": ec2.describe_launch_templates()["LaunchTemplates"],
        "keys": ec2.describe_key_pairs()["KeyPairs"],
        "scaling groups": boto3.client("autoscaling").describe_auto_scaling_groups()["AutoScalingGroups"],
        "balancers": elb.describe_load_balancers()["LoadBalancers"],
        "target groups": elb.describe_target_groups()["TargetGroups"],
        "databases": boto3.client("rds").describe_db_instances()["DBInstances"],
        "buckets": boto3.client("s3").list_buckets()["Buckets"],
        "parameters": boto3.client("ssm").describe_parameters()["Parameters"],
        "secrets": boto3.client("secretsmanager").list_secrets()["SecretList"],
        "roles": boto3.client("iam").list_roles()["Roles"],
        "profiles": boto3.client("iam").list_instance_profiles()["InstanceProfiles"],
    }


def on_host(stack: Live) -> list[str]:
    """Everything on this host that has the stack's name, or runs or is mounted in its folder."""
    name = stack.state.checkout_id
    found = [str(path) for path in (*Path("/run/netns").glob(f"{name}*"), *PROPAGATE.glob(f"{name}*"))]
    listed = run(["ip", "-brief", "link"]).stdout + run(["nft", "list", "tables"]).stdout
    found += [line for line in listed.splitlines() if name in line]
    found += [line for line in Path("/proc/self/mountinfo").read_text().splitlines() if str(stack.checkout) in line]
    found += [name] if Cgroup(name).exists() else []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            words = (process / "cmdline").read_bytes().decode(errors="replace").replace("\0", " ")
            inside = Path(os.readlink(process / "cwd")).is_relative_to(stack.checkout)
        except OSError:
            continue
        if inside or name in words or str(stack.checkout) in words:
            found.append(f"{process.name} {words}")
    return found


def test_destroy_leaves_no_object_in_the_account(stack: Live) -> None:
    stack.pulumi("destroy", "--stack", STACK, "--yes", "--skip-preview")
    assert {kind: left for kind, left in api_objects().items() if left} == {}
    until(lambda: not stack.running.published, "no port is published any more")
    assert Cgroup(stack.state.checkout_id).pids() == Cgroup(f"{stack.state.checkout_id}/daemon").pids()


@pytest.mark.long
def test_killed_in_the_middle_of_the_next_up_it_is_cleared_by_the_next_start(stack: Live) -> None:
    words = ["pulumi", "up", "--stack", STACK, "--yes", "--skip-preview", "--non-interactive"]
    log = (stack.state.slipway / "log" / "killed-up.log").open("wb")
    up = subprocess.Popen(
        words, cwd=stack.checkout, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
    )
    try:
        until(
            lambda: sum(text.startswith("running") for text in stack.running.machines.values()) >= 1,
            "a machine of the second stack runs",
        )
        pid = stack.running.pid
        os.kill(pid, signal.SIGKILL)
        until(lambda: start_time(pid) == 0, "it is dead")
    finally:
        up.kill()  # the engine alone: what it had started is found and ended by the next start
        up.wait()
    said = stack.localcloud("start").stdout
    for what in ("network namespace", "disks of", "files of 1 databases", "Pulumi state"):
        assert what in said, said
    assert stack.localcloud("status").returncode == 0
    assert stack.running.machines == {}


def test_make_down_leaves_nothing_on_this_machine(stack: Live) -> None:
    stack.make("down")
    assert on_host(stack) == []


def test_making_it_and_taking_it_down_changed_no_file_of_the_checkout(stack: Live) -> None:
    before, after = stack.pristine, fingerprint(stack.checkout)
    assert {name for name in before.keys() | after.keys() if before.get(name) != after.get(name)} == set()


def test_again_is_fine(stack: Live) -> None:
    assert "not running" in stack.make("down").stdout or on_host(stack) == []


@pytest.mark.parametrize("name", ["env", "passphrase", "ssh", "known_hosts"])
def test_no_secret_stays(stack: Live, name: str) -> None:
    assert not (stack.state.slipway / name).exists()

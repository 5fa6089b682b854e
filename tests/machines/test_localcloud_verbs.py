"""The local cloud's verbs on checkouts of their own: twice, side by side, and after a SIGKILL."""

import json
import os
import shutil
import signal
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
import pytest

from localcloud import cleanup
from localcloud.cgroup import Cgroup
from localcloud.image import Image
from localcloud.state import CHECKOUT, State, start_time
from ops.run import Result, run
from tests.waiting import eventually

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="the local cloud needs root")

IMAGE_ID = "ami-05119a4debb1a1212"


@dataclass
class Checkout:
    folder: Path

    @property
    def state(self) -> State:
        return State(self.folder)

    def localcloud(self, *words: str, check: bool = True) -> Result:
        return run([sys.executable, "-m", "localcloud", *words], cwd=self.folder, check=check, timeout_seconds=200)

    def status(self) -> Any:
        return json.loads(self.localcloud("status", "--json", check=False).stdout)

    def ec2(self) -> Any:
        endpoint = f"http://127.0.0.1:{self.status()['api_port']}"
        keys = {"aws_access_key_id": "AKIASLIPWAYLOCAL0000", "aws_secret_access_key": "local"}
        return boto3.client("ec2", endpoint_url=endpoint, region_name="us-east-1", **keys)

    def run_instance(self) -> str:
        """Starts a machine in a network of 10.0.0.0/16, and waits until it has its address there.

        Not for the first time: cloud-init takes it for itself for a moment, before the machine's own network does.
        """
        ec2 = self.ec2()
        vpc = ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
        subnet = ec2.create_subnet(VpcId=vpc, CidrBlock="10.0.1.0/24", AvailabilityZone="us-east-1a")["Subnet"]
        made = ec2.run_instances(
            ImageId=IMAGE_ID, InstanceType="t3.small", MinCount=1, MaxCount=1, SubnetId=subnet["SubnetId"]
        )
        instance_id = str(made["Instances"][0]["InstanceId"])
        booted = "systemctl is-active --quiet network-online.target"
        eventually(lambda: self.inside(instance_id, booted).ok, "its own network is up", lambda: None, 60)
        return instance_id

    def inside(self, instance_id: str, command: str) -> Result:
        return self.localcloud("shell", instance_id, *command.split(), check=False)

    def addresses(self, instance_id: str) -> str:
        return self.inside(instance_id, "ip -4 addr show host0").stdout

    def left_on_host(self) -> list[str]:
        """Everything on this host that has the checkout's name."""
        name = self.state.checkout_id
        places = [*Path("/run/netns").glob(f"{name}*"), *Path("/run/systemd/nspawn/propagate").glob(f"{name}*")]
        listed = run(["ip", "-brief", "link"]).stdout + run(["nft", "list", "tables"]).stdout
        mounts = [line for line in Path("/proc/self/mountinfo").read_text().splitlines() if str(self.folder) in line]
        group = [name] if Cgroup(name).exists() else []
        return [*map(str, places), *(line for line in listed.splitlines() if name in line), *mounts, *group]


def a_checkout(folder: Path) -> Checkout:
    for name in ("contract", "localcloud", "ops", "toolchain"):
        shutil.copytree(CHECKOUT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    return Checkout(folder)


@pytest.fixture(scope="module")
def checkouts(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Checkout, Checkout]]:
    Image().ensure(print)
    one, two = (a_checkout(tmp_path_factory.mktemp(name)) for name in ("one", "two"))
    try:
        yield one, two
    finally:
        for checkout in (one, two):
            checkout.localcloud("stop", check=False)
            cleanup.clean(checkout.state, print)


def test_two_checkouts_run_side_by_side_with_the_same_addresses(checkouts: tuple[Checkout, Checkout]) -> None:
    for checkout in checkouts:
        checkout.localcloud("start")
    assert checkouts[0].status()["api_port"] != checkouts[1].status()["api_port"]
    for checkout in checkouts:
        assert "inet 10.0.1.4/24" in checkout.addresses(checkout.run_instance())


def test_a_second_start_keeps_what_runs(checkouts: tuple[Checkout, Checkout]) -> None:
    before = checkouts[0].status()
    assert "running already" in checkouts[0].localcloud("start").stdout
    assert checkouts[0].status()["pid"] == before["pid"]


def test_status_is_an_exit_code_for_scripts(checkouts: tuple[Checkout, Checkout]) -> None:
    assert checkouts[0].localcloud("status").returncode == 0


def test_a_machine_that_is_not_there_is_one_clear_line(checkouts: tuple[Checkout, Checkout]) -> None:
    result = checkouts[0].localcloud("shell", "i-0", "true", check=False)
    assert result.returncode == 1
    assert result.stderr.startswith("localcloud: no machine i-0 is running\n  hint: ")


def test_a_service_can_be_switched_off_and_on(checkouts: tuple[Checkout, Checkout]) -> None:
    checkout = checkouts[0]
    endpoint = f"http://127.0.0.1:{checkout.status()['api_port']}"
    keys = {"aws_access_key_id": "AKIASLIPWAYLOCAL0000", "aws_secret_access_key": "local"}
    s3 = boto3.client("s3", endpoint_url=endpoint, region_name="us-east-1", **keys)
    s3.list_buckets()
    checkout.localcloud("fault", "s3", "down")
    with pytest.raises(s3.exceptions.ClientError, match="503"):
        s3.list_buckets()
    checkout.ec2().describe_vpcs()
    checkout.localcloud("fault", "s3", "up")
    s3.list_buckets()


def test_after_a_sigkill_the_next_start_clears_everything_and_says_so(checkouts: tuple[Checkout, Checkout]) -> None:
    checkout = checkouts[0]
    stack = checkout.state.pulumi / ".pulumi" / "stacks" / "slipway" / "local.json"
    stack.parent.mkdir(parents=True)
    stack.write_text("{}")
    pid = checkout.status()["pid"]
    os.kill(pid, signal.SIGKILL)
    eventually(lambda: start_time(pid) == 0, "it is dead", lambda: None)
    assert checkout.localcloud("status", check=False).returncode == 1
    said = checkout.localcloud("start").stdout
    assert "network namespace" in said
    assert "disks of 1 machines" in said
    assert "Pulumi state" in said
    assert not stack.exists(), "it describes a world that died with the process"
    assert checkout.status()["machines"] == {}


def test_stop_leaves_nothing_and_the_other_checkout_alone(checkouts: tuple[Checkout, Checkout]) -> None:
    one, two = checkouts
    one.localcloud("stop")
    assert one.left_on_host() == []
    assert two.localcloud("status").returncode == 0
    two.localcloud("stop")
    assert two.left_on_host() == []
    assert "not running" in one.localcloud("stop").stdout

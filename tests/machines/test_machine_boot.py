"""One machine through an instance's whole life: boot, reboot, stop, start, crash, termination.

The controller, the metadata service, DNS and the machine are the real ones; only the API's records are the test's.
"""

import os
import signal
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from localcloud import cleanup
from localcloud.cli import enter_argv
from localcloud.dns import DnsController
from localcloud.ec2 import Ec2Controller
from localcloud.image import Image
from localcloud.imds import ImdsServer
from localcloud.machine import group, init_of
from localcloud.model import Controller, Instance, InstanceState
from localcloud.network import METADATA, Network
from localcloud.state import State
from ops.run import Result, run
from tests.waiting import until
from tests.worlds import FakeWorld, an_instance

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="machines need root")

USER_DATA = b"""#cloud-config
ssh_authorized_keys: ["ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJ0000000000000000000000000000000000000000000 operator"]
write_files: [{path: /etc/from-user-data, content: hello}]
runcmd: [[sh, -c, "echo $AWS_ENDPOINT_URL > /etc/from-runcmd"]]
"""
ID = "i-0123456789abcdef0"
LIMITS = ("memory.max", "memory.limit_in_bytes")


class RecordingWorld(FakeWorld):
    """Also remembers the reasons and consoles that it was told."""

    def __init__(self) -> None:
        super().__init__()
        self.reasons: dict[str, str] = {}
        self.consoles: dict[str, Path] = {}

    def set_instance_state(self, instance_id: str, state: InstanceState, reason: str = "") -> None:
        super().set_instance_state(instance_id, state)
        self.reasons[instance_id] = reason

    def set_console(self, instance_id: str, path: str) -> None:
        self.consoles[instance_id] = Path(path)


@dataclass
class Stage:
    state: State
    world: RecordingWorld
    controllers: list[Controller]

    def turn(self) -> None:
        for controller in self.controllers:
            controller.reconcile()

    @property
    def instance(self) -> Instance:
        return self.world.machines[0]

    def ask(self, **changes: object) -> None:
        """What an API call would do to the record."""
        self.world.machines = [replace(self.instance, **changes)]  # type: ignore[arg-type]

    def inside(self, *command: str) -> Result:
        return run(enter_argv(self.state, ID, list(command)), check=False, timeout_seconds=60)

    def until(self, check: Callable[[], bool], what: str) -> None:
        until(check, lambda: f"{what}\n{self.console[-3000:]}", turn=self.turn)

    @property
    def console(self) -> str:
        file = self.world.consoles.get(ID)
        return file.read_text(errors="replace") if file and file.exists() else ""

    def until_booted(self) -> None:
        self.until(lambda: self.init is not None and self._is_done(), "cloud-init is done")

    def _is_done(self) -> bool:
        return self.inside("cloud-init", "status").stdout.strip() == "status: done"

    @property
    def init(self) -> int | None:
        return init_of(group(self.state.checkout_id, ID))

    def until_state(self, state: InstanceState) -> None:
        self.until(lambda: self.instance.state == state, f"the instance is {state}")


@pytest.fixture(scope="module")
def stage() -> Iterator[Stage]:
    image = Image()
    image.ensure(print)
    with tempfile.TemporaryDirectory(prefix="slipway-machines-") as folder:
        state, world = State(Path(folder)), RecordingWorld()
        state.create()
        network = Network(state.checkout_id)
        network.create()
        imds = ImdsServer(world, network.listen(METADATA, 80))
        imds.start()
        controllers: list[Controller] = [Ec2Controller(world, network, image, state)]
        controllers.append(DnsController(world, network, image, state))
        world.machines = [an_instance(id=ID, state="pending", user_data=USER_DATA, memory_mib=1024)]
        try:
            yield Stage(state, world, controllers)
        finally:
            for controller in controllers:
                controller.stop()
            imds.stop()
            cleanup.clean(state, print)


def test_an_instance_boots_by_cloud_init_as_on_ec2(stage: Stage) -> None:
    stage.until_state("running")
    stage.until_booted()
    assert "DataSourceEc2Local" in stage.inside("cloud-init", "status", "--long").stdout
    assert stage.inside("cat", "/etc/from-user-data").stdout == "hello"
    assert stage.inside("hostname").stdout.strip() == "ip-10-0-1-5"
    assert "/home/admin" in stage.inside("getent", "passwd", "admin").stdout
    assert not stage.inside("systemctl", "--failed", "--no-legend").stdout


def test_it_has_the_address_and_the_card_that_the_api_says(stage: Stage) -> None:
    shown = stage.inside("ip", "addr", "show", "host0").stdout
    assert "inet 10.0.1.5/24" in shown
    assert "link/ether 0e:00:0a:00:01:05" in shown


def test_services_and_logins_find_the_local_api_without_user_data(stage: Stage) -> None:
    endpoint = "http://169.254.169.250:4566"
    assert stage.inside("cat", "/etc/from-runcmd").stdout.strip() == endpoint
    assert endpoint in stage.inside("cat", "/etc/environment").stdout


def test_its_console_has_its_host_keys(stage: Stage) -> None:
    public = stage.inside("cat", "/etc/ssh/ssh_host_ed25519_key.pub").stdout.split()[1]
    assert public in stage.console


def test_no_other_software_of_the_image_runs_in_it(stage: Stage) -> None:
    running = stage.inside("ps", "-eo", "comm").stdout
    assert not {"haproxy", "postgres", "nginx", "dnsmasq"} & set(running.split())


def test_its_memory_is_its_instance_types(stage: Stage) -> None:
    own = group(stage.state.checkout_id, ID)
    limits = [tree.mount / own.path / name for tree in own.hierarchies for name in LIMITS]
    values = [file.read_text().strip() for file in limits if file.exists()]
    assert values == [str(1024 << 20)]


def test_the_hosts_mount_table_never_shows_it(stage: Stage) -> None:
    assert str(stage.state.folder) not in Path("/proc/self/mountinfo").read_text()


def test_a_reboot_keeps_the_disk_and_the_state_running(stage: Stage) -> None:
    before = stage.init
    stage.inside("touch", "/root/kept")
    stage.ask(reboots=1)
    stage.until(lambda: stage.init not in (None, before), "another boot")
    stage.until_booted()
    assert stage.instance.state == "running"
    assert stage.inside("test", "-e", "/root/kept").ok


def test_a_reboot_from_inside_comes_back_too(stage: Stage) -> None:
    before = stage.init
    stage.inside("systemctl", "reboot")
    stage.until(lambda: stage.init not in (None, before), "another boot")
    stage.until_booted()
    assert stage.instance.state == "running"


def test_stop_and_start_keep_the_disk_and_the_address(stage: Stage) -> None:
    stage.ask(state="stopping")
    stage.until_state("stopped")
    assert stage.init is None
    stage.ask(state="pending")
    stage.until_state("running")
    stage.until_booted()
    assert stage.inside("test", "-e", "/root/kept").ok
    assert "inet 10.0.1.5/24" in stage.inside("ip", "addr", "show", "host0").stdout


def test_a_poweroff_from_inside_stops_the_instance(stage: Stage) -> None:
    stage.inside("systemctl", "poweroff")
    stage.until_state("stopped")
    assert stage.world.reasons[ID].startswith("Client.InstanceInitiatedShutdown")


def test_a_killed_machine_is_seen_and_is_not_called_a_shutdown(stage: Stage) -> None:
    stage.ask(state="pending")
    stage.until_state("running")
    stage.until(lambda: stage.init is not None, "an init process")
    os.kill(stage.init or 0, signal.SIGKILL)
    stage.until_state("stopped")
    assert stage.world.reasons[ID].startswith("Server.InternalError")


def test_a_terminated_instance_leaves_its_console_and_nothing_else(stage: Stage) -> None:
    stage.ask(state="shutting-down")
    stage.until_state("terminated")
    assert not group(stage.state.checkout_id, ID).exists()
    assert "vb-" not in run(["ip", "-n", stage.state.checkout_id, "-brief", "link"]).stdout
    assert not list(stage.state.machine(ID).glob("upper"))
    assert "Welcome to" in stage.console

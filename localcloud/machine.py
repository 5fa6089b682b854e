"""One EC2 instance as a real machine: systemd-nspawn on a writable layer over the image, in a control group of its own.

Its overlay is mounted in a mount namespace that only nspawn lives in, so that the host's mount table never shows it and
no way of dying can leave it behind. The disk is the folder `upper`: it stays from stop to start and goes with `remove`.
"""

import os
import shutil
import signal
from collections.abc import Mapping
from enum import Enum
from ipaddress import IPv4Interface
from pathlib import Path

from localcloud.cgroup import Cgroup
from localcloud.image import Image
from localcloud.model import Instance
from localcloud.network import Network
from localcloud.nspawn import INJECTED, nspawn_argv
from localcloud.process import Process, spawn

REBOOT = 133  # nspawn's exit status when its guest asked for a reboot
REBOOT_SIGNAL = signal.SIGRTMIN + 5  # systemd(1): starts reboot.target
PROPAGATE = Path("/run/systemd/nspawn/propagate")


class Power(Enum):
    """`CRASHED` is an end that the guest did not ask for."""

    OFF = "off"
    ON = "on"
    REBOOTING = "rebooting"
    CRASHED = "crashed"


class Machine:
    """The machine of `instance`, kept in `folder`, with `files` on its disk by path. Made for one thread at a time."""

    def __init__(
        self, instance: Instance, network: Network, image: Image, folder: Path, files: Mapping[str, str]
    ) -> None:
        self.instance = instance
        self._files = {**INJECTED, **files}
        self.folder = folder
        self.console = folder / "console.log"
        self.name = f"{network.netns}-{instance.id}"
        self.cgroup = group(network.netns, instance.id)
        self._network = network
        self._image = image
        self._process: Process | None = None
        self._switched_off = True
        self._console_start = 0

    @property
    def power(self) -> Power:
        if self._process is None or self._switched_off:
            return Power.OFF
        status = self._process.returncode
        if status is None:
            return Power.ON
        return {0: Power.OFF, REBOOT: Power.REBOOTING}.get(status, Power.CRASHED)

    @property
    def ended(self) -> str:
        """Why it is off, in a few words."""
        status = self._process.returncode if self._process else None
        return f"systemd-nspawn ended with status {status}" if status else "powered off"

    def start(self) -> None:
        """Switches it on, with the disk it has or a new one. What runs of an earlier start is ended."""
        self.kill()
        self._make_folder()
        self._network.add_address(router(self.instance))
        self.cgroup.create()
        self.cgroup.set_memory(self.instance.memory_mib << 20)
        self._console_start = self.console.stat().st_size if self.console.exists() else 0
        self._switched_off = False
        self._process = spawn(
            nspawn_argv(self.instance, self.name),
            log=self.console,
            cgroup=self.cgroup,
            netns=self._network.netns,
            env={"TERM": "dumb"},  # or systemd animates the console,
            cwd=self.folder,
        )

    def stop(self, timeout_seconds: float) -> None:
        """Asks the guest to power off, and cuts the power when it has not in time. The disk stays."""
        if self._process and self._process.alive:
            self._process.send(signal.SIGTERM)  # nspawn passes it on as an orderly shutdown
            self._process.wait(timeout_seconds)
        self._switched_off = True
        self.kill()

    def restart(self, timeout_seconds: float) -> None:
        """Asks the guest to reboot, cuts its power when it has not in time, and starts it again."""
        if self._process and self._process.alive:
            init = init_of(self.cgroup)
            if init is not None:
                _send(init, REBOOT_SIGNAL)
            self._process.wait(timeout_seconds)
        self.start()

    def kill(self) -> None:
        """Cuts the power."""
        self.cgroup.kill()
        if self._process:
            self._process.wait()
        self.cgroup.remove()

    def remove(self) -> None:
        """Cuts the power and destroys the disk; what it wrote on its console stays readable."""
        self._switched_off = True
        self.kill()
        remove_disk(self.folder)
        shutil.rmtree(PROPAGATE / self.name, ignore_errors=True)

    def console_tail(self, size_bytes: int = 65536) -> bytes:
        """The end of what it wrote on its console since it was last switched on."""
        try:
            with self.console.open("rb") as console:
                console.seek(max(self._console_start, os.fstat(console.fileno()).st_size - size_bytes))
                return console.read()
        except FileNotFoundError:
            return b""

    def _make_folder(self) -> None:
        """The layer's folders must be as root's own would be: the guest sees the mode of `upper` on its `/`."""
        for name in ("upper", "work", "root", "hypervisor"):
            (self.folder / name).mkdir(parents=True, exist_ok=True)
            (self.folder / name).chmod(0o755)
        image = self.folder / "image"
        image.unlink(missing_ok=True)
        image.symlink_to(self._image.root)
        # By this file cloud-init knows in a container, where it reads no firmware tables, that it is on EC2.
        (self.folder / "hypervisor" / "uuid").write_text(f"ec2{self.instance.id[-17:]}\n")
        for name, text in self._files.items():
            path = self.folder / "upper" / name
            if not path.exists():
                path.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
                path.write_text(text)


def group(checkout_id: str, instance_id: str) -> Cgroup:
    return Cgroup(f"{checkout_id}/{instance_id}")


def router(instance: Instance) -> IPv4Interface:
    """The address of the subnet's router, which on AWS is always its first."""
    return IPv4Interface((instance.subnet_cidr[1], instance.subnet_cidr.prefixlen))


def init_of(cgroup: Cgroup) -> int | None:
    """The host's process id of a machine's init, which is number 1 in the first namespace below ours."""
    for pid in sorted(cgroup.pids()):
        try:
            status = Path(f"/proc/{pid}/status").read_text()
        except (FileNotFoundError, ProcessLookupError):
            continue
        ids = next(line for line in status.splitlines() if line.startswith("NSpid:")).split()[1:]
        if len(ids) == 2 and ids[1] == "1":
            return pid
    return None


def remove_disk(folder: Path) -> None:
    for name in ("upper", "work", "root", "hypervisor"):
        if (folder / name).exists():
            shutil.rmtree(folder / name)


def _send(pid: int, number: int) -> None:
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        return

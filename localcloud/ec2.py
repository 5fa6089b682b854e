"""Keeps one machine per EC2 instance as the API wants it, and tells the API what really became of each.

Every turn compares the two anew, so that nothing is lost when a machine dies, reboots itself or is switched off from
inside. What takes time (a boot, an orderly shutdown) runs in threads, one at a time per instance.
"""

import logging
import os
import time
from concurrent.futures import Future, ThreadPoolExecutor
from enum import Enum

from localcloud.database import ca_path
from localcloud.image import Image
from localcloud.machine import Machine, Power
from localcloud.model import Instance, InstanceState, World
from localcloud.network import Network
from localcloud.state import State

log = logging.getLogger("localcloud.ec2")

RDS_CA = "usr/share/slipway/rds-ca.pem"  # where a node looks for it before it asks AWS

# A shutdown that hangs is cut short. EC2 waits minutes; systemd itself gives up on a unit after 90 s.
STOP_SECONDS = 95.0
TERMINATE_SECONDS = 20.0
REBOOT_SECONDS = 120.0
# More machines that boot at once than this, and each is slower than its health check allows.
BOOTS = (os.cpu_count() or 1) + 1
BOOT_SECONDS = 30.0
RETRY_SECONDS = 5.0
BOOTED = b"finished at"  # the end of cloud-init's last message

SHUT_DOWN = "Client.InstanceInitiatedShutdown: Instance initiated shutdown"
CRASHED = "Server.InternalError: Internal error on the host"


class Step(Enum):
    """What to do next about an instance."""

    BOOT = "boot"
    REBOOT = "reboot"
    SAY_RUNNING = "say running"
    SWITCH_OFF = "switch off"
    SAY_STOPPED = "say stopped"
    DESTROY = "destroy"


def next_step(wanted: InstanceState, power: Power | None, reboot: bool = False) -> Step | None:
    """What brings a machine to what the API says. `power` is None without a machine, `reboot` an unanswered request."""
    match wanted:
        case "pending":
            return Step.SAY_RUNNING if power is Power.ON else Step.BOOT
        case "running" if power in (None, Power.REBOOTING):
            return Step.BOOT
        case "running" if power is Power.ON:
            return Step.REBOOT if reboot else None
        case "running":
            return Step.SAY_STOPPED
        case "stopping":
            return Step.SWITCH_OFF
        case "stopped":
            return Step.SWITCH_OFF if power in (Power.ON, Power.REBOOTING) else None
        case "shutting-down":
            return Step.DESTROY
    return Step.DESTROY if power is not None else None


class Ec2Controller:
    name = "ec2"

    def __init__(self, world: World, network: Network, image: Image, state: State) -> None:
        self._world = world
        self._network = network
        self._image = image
        self._state = state
        self._machines: dict[str, Machine] = {}
        self._reboots: dict[str, int] = {}
        self._booting: dict[str, float] = {}
        self._work: dict[str, Future[None]] = {}
        self._failed: dict[str, float] = {}
        self._threads = ThreadPoolExecutor(max_workers=16, thread_name_prefix="ec2")

    def reconcile(self) -> None:
        """Raises `ExceptionGroup` of what failed since the last turn; each is tried again a little later."""
        errors = self._collect()
        self._forget_booted()
        instances = {each.id: each for each in self._world.instances()}
        for instance in instances.values():
            if instance.id not in self._work and time.monotonic() > self._failed.get(instance.id, 0) + RETRY_SECONDS:
                self._act(instance)
        for gone in set(self._machines) - set(instances) - set(self._work):
            self._work[gone] = self._threads.submit(self._destroy, self._machines[gone].instance)
        if errors:
            raise ExceptionGroup("machines", errors)

    def stop(self) -> None:
        """Cuts the power of every machine and removes it. What is under way ends early, for it waits on machines."""
        errors: list[Exception] = []
        self._threads.shutdown(wait=False, cancel_futures=True)
        for machine in self._machines.values():
            machine.cgroup.kill()
        self._threads.shutdown(wait=True)
        with ThreadPoolExecutor(max_workers=8) as threads:
            for done in [threads.submit(machine.remove) for machine in self._machines.values()]:
                error = done.exception()
                if isinstance(error, Exception):
                    errors.append(error)
        if errors:
            raise ExceptionGroup("machines that could not be removed", errors)

    def machine(self, instance_id: str) -> Machine | None:
        return self._machines.get(instance_id)

    def _act(self, instance: Instance) -> None:
        machine = self._machines.get(instance.id)
        reboot = instance.reboots > self._reboots.get(instance.id, 0)
        step = next_step(instance.state, machine.power if machine else None, reboot)
        if step is None or (step is Step.BOOT and not self._may_boot(instance)):
            return
        log.info("%s is %s: %s", instance.id, instance.state, step.value)
        acts = {
            Step.BOOT: self._boot,
            Step.REBOOT: self._reboot,
            Step.SAY_RUNNING: self._say_running,
            Step.SWITCH_OFF: self._switch_off,
            Step.SAY_STOPPED: self._say_stopped,
            Step.DESTROY: self._destroy,
        }
        self._work[instance.id] = self._threads.submit(acts[step], instance)

    def _may_boot(self, instance: Instance) -> bool:
        if len(self._booting) >= BOOTS:
            return False
        self._booting[instance.id] = time.monotonic()
        return True

    def _forget_booted(self) -> None:
        """A boot is over when cloud-init says so, when the machine is off, or when it takes too long."""
        for instance_id, since in list(self._booting.items()):
            machine = self._machines.get(instance_id)
            over = machine is not None and instance_id not in self._work and _booted(machine)
            if over or time.monotonic() - since > BOOT_SECONDS:
                del self._booting[instance_id]

    def _collect(self) -> list[Exception]:
        """Forgets work that is done, and returns what went wrong in it."""
        errors = []
        for instance_id, work in list(self._work.items()):
            if work.done():
                del self._work[instance_id]
                error = work.exception()
                if isinstance(error, Exception):
                    self._failed[instance_id] = time.monotonic()
                    errors.append(error)
        return errors

    def _boot(self, instance: Instance) -> None:
        machine = self._machines.get(instance.id)
        if machine is None:
            folder = self._state.machine(instance.id)
            files = {RDS_CA: ca_path(self._state).read_text()}
            machine = self._machines[instance.id] = Machine(instance, self._network, self._image, folder, files)
            self._world.set_console(instance.id, str(machine.console))
        self._reboots[instance.id] = instance.reboots
        machine.start()
        self._say_running(instance)

    def _say_running(self, instance: Instance) -> None:
        """Unless somebody has asked for its end meanwhile."""
        if any(each.id == instance.id and each.state == "pending" for each in self._world.instances()):
            self._world.set_instance_state(instance.id, "running")

    def _reboot(self, instance: Instance) -> None:
        self._reboots[instance.id] = instance.reboots
        self._machines[instance.id].restart(REBOOT_SECONDS)

    def _switch_off(self, instance: Instance) -> None:
        if machine := self._machines.get(instance.id):
            machine.stop(STOP_SECONDS)
        self._world.set_instance_state(instance.id, "stopped")

    def _say_stopped(self, instance: Instance) -> None:
        machine = self._machines[instance.id]
        reason = SHUT_DOWN if machine.power is Power.OFF else f"{CRASHED} ({machine.ended})"
        log.warning("%s is off: %s", instance.id, machine.ended)
        machine.stop(0)
        self._world.set_instance_state(instance.id, "stopped", reason)

    def _destroy(self, instance: Instance) -> None:
        if machine := self._machines.get(instance.id):
            machine.stop(TERMINATE_SECONDS)
            machine.remove()
            del self._machines[instance.id]
        if instance.state == "shutting-down":
            self._world.set_instance_state(instance.id, "terminated")


def _booted(machine: Machine) -> bool:
    return machine.power is not Power.ON or BOOTED in machine.console_tail()

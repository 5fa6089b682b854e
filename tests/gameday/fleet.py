"""What rows do to nodes: a worker killed, a node rebooted as a planned reboot is done, a clock that is wrong."""

import base64
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import boto3

from localcloud.machine import group, init_of
from ops.errors import UserError
from ops.nodes import Node
from tests.gameday.day import Day
from tests.waiting import until

READY = ("curl", "-sf", "-m", "2", "http://127.0.0.1:8080/readyz")
BOOT_SECONDS = 180
FAKETIME = Path("/usr/lib/x86_64-linux-gnu/faketime/libfaketime.so.1")
ACTIVATE = "/usr/local/lib/slipway/slipway-activate"


def first(day: Day) -> Node:
    return day.live.nodes("serving")[0]


def workers(day: Day, node: Node) -> set[str]:
    """The processes of the serving slot's workers."""
    current = day.live.shell(node, "readlink", "/run/slipway/current.sock").stdout.strip().removesuffix(".sock")
    show = ("systemctl", "show", "--property=MainPID", "--value", f"model-server@{current}")
    main = day.live.shell(node, *show).stdout.strip()
    return set(day.live.shell(node, "pgrep", "-P", main).stdout.split())


def kill_a_worker(day: Day) -> None:
    """SIGKILL to one worker; another takes its place."""
    node = first(day)
    before = workers(day, node)
    day.live.shell(node, "kill", "-KILL", min(before))
    until(lambda: len(workers(day, node) - {min(before)}) == len(before), "another worker", 60)


def reboot_through_standby(day: Day) -> None:
    """A planned reboot: out of the balancer, reboot, ready, in again."""
    node = first(day)
    day.live.run("python3", "-m", "ops", "drain", node.id)
    try:
        before = boot(day, node)
        boto3.client("ec2").reboot_instances(InstanceIds=[node.id])
        until(lambda: boot(day, node) not in (None, before), "another boot", BOOT_SECONDS)
        until(lambda: boot(day, node) and day.live.shell(node, *READY, check=False).ok, "it is ready", BOOT_SECONDS)
    finally:
        day.live.run("python3", "-m", "ops", "undrain", node.id)


def boot(day: Day, node: Node) -> int | None:
    """Changes with every boot: the machine's first process."""
    return init_of(group(day.live.state.checkout_id, node.id))


@contextmanager
def clock_ahead(day: Day, node: Node, seconds: int) -> Iterator[None]:
    """All that decides by the time there, the server and slipway-activate, has a clock that is ahead.

    Machines here share one clock, which is why it is made wrong for processes and not for the machine. What is started
    meanwhile keeps it for as long as it runs.
    """
    if not FAKETIME.exists():
        raise UserError("there is no libfaketime on this machine", "apt-get install libfaketime")
    library = base64.b64encode(FAKETIME.read_bytes()).decode()
    day.live.shell(node, "sh", "-c", "base64 -d > /usr/lib/faketime.so", input=library)
    wrong = ["LD_PRELOAD=/usr/lib/faketime.so", f"FAKETIME=+{seconds}", "FAKETIME_DONT_FAKE_MONOTONIC=1"]
    wrapper = f'#!/bin/sh\nexec env {" ".join(wrong)} {ACTIVATE}.right "$@"\n'
    replace = f"mv {ACTIVATE} {ACTIVATE}.right && cat > {ACTIVATE} && chmod 755 {ACTIVATE}"
    day.live.shell(node, "sh", "-c", replace, input=wrapper)
    day.live.shell(node, "systemctl", "set-environment", *wrong)
    try:
        yield
    finally:
        day.live.shell(node, "systemctl", "unset-environment", *(each.partition("=")[0] for each in wrong))
        day.live.shell(node, "mv", f"{ACTIVATE}.right", ACTIVATE)

"""What rows do to nodes: a worker killed, a node rebooted as a planned reboot is done, a clock that is wrong."""

from collections.abc import Iterator
from contextlib import contextmanager

import boto3

from localcloud.machine import group, init_of
from ops.nodes import Node
from tests.gameday.day import Day
from tests.waiting import until

READY = ("curl", "-sf", "-m", "2", "http://127.0.0.1:8080/readyz")
BOOT_SECONDS = 180
CLOCK = "/run/slipway-wrong-clock"
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
    """The clock of slipway-activate there is ahead: it is what decides by the time on a node.

    Machines here share one clock, so it is made wrong in the process. libfaketime cannot do that: with it, Python's
    sleep (clock_nanosleep of an absolute time) fails with EINVAL, or waits for as long as the clock is ahead.
    """
    wrapper = f'#!/bin/sh\nPYTHONPATH={CLOCK} exec /usr/bin/python3 {ACTIVATE}.right "$@"\n'
    clock = f"import time\n\nright = time.time\ntime.time = lambda: right() + {seconds}\n"
    day.live.shell(node, "sh", "-c", f"mkdir -p {CLOCK} && cat > {CLOCK}/sitecustomize.py", input=clock)
    replace = f"mv {ACTIVATE} {ACTIVATE}.right && cat > {ACTIVATE} && chmod 755 {ACTIVATE}"
    day.live.shell(node, "sh", "-c", replace, input=wrapper)
    try:
        yield
    finally:
        day.live.shell(node, "mv", f"{ACTIVATE}.right", ACTIVATE)

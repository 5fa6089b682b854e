"""What a daemon that dies by SIGKILL takes with it: HAProxy, dnsmasq and PostgreSQL end by themselves."""

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from localcloud.image import Image
from localcloud.network import Network
from localcloud.state import CHECKOUT, State
from tests.machines.services import lab
from tests.waiting import until
from tests.worlds import BALANCER, DATABASE, GROUP, FakeWorld, an_instance

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="needs root")

PROGRAMS = {"haproxy", "dnsmasq", "postgres"}


def serve(folder: str, netns: str) -> None:
    """What the daemon does, in a process of its own; says when all run, and waits to be killed."""
    from localcloud.balancer import BalancerController
    from localcloud.database import DatabaseController
    from localcloud.dns import DnsController

    world, network, state, image = FakeWorld(), Network(netns), State(Path(folder)), Image()
    world.machines, world.database_records = [an_instance()], [DATABASE]
    world.balancers, world.targets = [BALANCER], [GROUP]
    world.set_password("secret")
    made = [kind(world, network, image, state) for kind in (BalancerController, DatabaseController, DnsController)]
    while world.database_records[0].status != "available":
        for controller in made:
            controller.reconcile()
        time.sleep(0.1)
    print("ready", flush=True)
    time.sleep(60)


def running(netns: str) -> set[str]:
    """The programs whose process is in the namespace or in one attached to it."""
    places = {os.stat(path).st_ino for path in Path("/run/netns").glob(f"{netns}*")}
    found = set()
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if os.stat(process / "ns/net").st_ino in places:
                found.add((process / "comm").read_text().strip())
        except OSError:
            continue
    return found


def test_nothing_outlives_a_killed_daemon() -> None:
    with lab() as found:
        where = f"{str(found.state.checkout)!r}, {found.network.netns!r}"
        code = f"from tests.machines.test_services_death import serve; serve({where})"
        with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, cwd=CHECKOUT, text=True) as daemon:
            assert daemon.stdout is not None
            found.attached.append(DATABASE.id)
            assert daemon.stdout.readline() == "ready\n"
            assert running(found.network.netns) >= PROGRAMS
            daemon.kill()
        until(lambda: not running(found.network.netns), lambda: f"all end: {running(found.network.netns)}", 5)

"""A balancer between the host's loopback and two small targets on the bridge, for the tests of it."""

import http.client
import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from ipaddress import IPv4Network

import pytest

from localcloud.balancer import BalancerController
from localcloud.image import Image
from localcloud.model import Rule, SecurityGroup, Target
from tests.machines.services import Backend, Lab, get, lab
from tests.waiting import eventually
from tests.worlds import BALANCER, GROUP, FakeWorld, a_target

NEEDS = pytest.mark.skipif(os.geteuid() != 0, reason="needs root")

OPEN = SecurityGroup(
    id="sg-0web",
    vpc_id="vpc-0a",
    rules=(Rule(direction="ingress", protocol="tcp", port_from=1, port_to=65535, cidr=IPv4Network("127.0.0.0/8")),),
)
A, B = a_target("i-0a", "10.0.1.11"), a_target("i-0b", "10.0.1.12")


@dataclass
class Stage:
    lab: Lab
    world: FakeWorld
    controller: BalancerController
    a: Backend
    b: Backend

    @property
    def port(self) -> int:
        return next(iter(self.controller.published.values()))

    def until(self, check: Callable[[], bool], what: str, seconds: float = 15) -> float:
        return eventually(check, what, self.controller.reconcile, seconds)

    def health(self, target: Target) -> str:
        return self.world.health.get(target.id, ("", ""))[0]

    def register(self, *targets: Target) -> None:
        self.world.targets = [replace(GROUP, targets=targets)]

    def both_healthy(self) -> None:
        self.register(A, B)
        self.until(lambda: self.health(A) == self.health(B) == "healthy", f"two healthy targets: {self.world.health}")


@pytest.fixture(name="stage")
def balancer_stage() -> Iterator[Stage]:
    with lab() as found:
        world = FakeWorld()
        world.groups = [OPEN]
        world.balancers = [BALANCER]
        world.targets = [GROUP]
        a = found.serve("a", "10.0.1.11/24")
        b = found.serve("b", "10.0.1.12/24")
        controller = BalancerController(world, found.network, Image(), found.state)
        try:
            stage = Stage(found, world, controller, a, b)
            stage.until(
                lambda: bool(controller.published) and get(stage.port, "/")[0] == 404, "a balancer that answers"
            )
            yield stage
        finally:
            controller.stop()
            print(found.state.log("balancer").read_text())


@contextmanager
def load(port: int, clients: int = 4) -> Iterator[list[str]]:
    """Requests without pause on kept connections: the status of each, or what went wrong."""
    seen: list[str] = []
    done = threading.Event()

    def client() -> None:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
        while not done.is_set():
            try:
                connection.request("GET", "/predict")
                answer = connection.getresponse()
                answer.read()
                seen.append(str(answer.status))
            except (OSError, http.client.HTTPException) as error:
                seen.append(repr(error))
                connection.close()

    threads = [threading.Thread(target=client) for _ in range(clients)]
    for thread in threads:
        thread.start()
    try:
        yield seen
    finally:
        done.set()
        for thread in threads:
            thread.join()

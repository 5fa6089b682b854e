"""The local cloud's one process: the API, the metadata service, and a thread per controller.

It lives in a control group that everything it starts is born into, so that whatever kills it, the next start finds the
rest. What the API knows is in this process's memory only, and ends with it.
"""

import fcntl
import logging
import os
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import ExitStack
from typing import Any

from localcloud import fault
from localcloud.api.server import ApiServer
from localcloud.autoscaling import AutoscalingController
from localcloud.balancer import BalancerController
from localcloud.cgroup import Cgroup
from localcloud.database import DatabaseController
from localcloud.dns import DnsController
from localcloud.ec2 import Ec2Controller
from localcloud.firewall import FirewallController
from localcloud.image import Image
from localcloud.imds import ImdsServer
from localcloud.logs import describe, log_to_files
from localcloud.model import Controller
from localcloud.network import API, API_PORT, METADATA, Network
from localcloud.state import Running, State, start_time
from localcloud.world import MotoWorld

log = logging.getLogger("localcloud.daemon")

TURN_SECONDS = 0.25
STOP_SECONDS = 20.0


class FaultyApi(ApiServer):
    """The API, but for the services that are down."""

    def __init__(self, sockets: Sequence[socket.socket], state: State) -> None:
        super().__init__(sockets, checkout=state.checkout_id, record=state.calls)
        self._state = state

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        if fault.refused(self._state, environ):
            start_response("503 Service Unavailable", [("Content-Type", "application/x-amz-json-1.1")])
            return [fault.BODY]
        return super().__call__(environ, start_response)


class Part(threading.Thread):
    """A controller and its turns. `error` is what its last turn said, empty when all is well."""

    def __init__(self, controller: Controller, ending: threading.Event) -> None:
        super().__init__(name=controller.name, daemon=True)
        self.controller = controller
        self.error = ""
        self._ending = ending
        self._log = logging.getLogger(f"localcloud.{controller.name}")

    def run(self) -> None:
        while not self._ending.wait(TURN_SECONDS):
            try:
                self.controller.reconcile()
                self.error = ""
            except Exception as error:  # a controller's bug must not take the others along
                text = describe(error)
                if text != self.error:
                    self._log.exception("turn failed")
                self.error = text


class Daemon:
    """Built up in order on an `ExitStack`, and taken down in the reverse one, every step tried."""

    def __init__(self, state: State) -> None:
        self.state = state
        self.world = MotoWorld()
        self.ending = threading.Event()
        self.parts: list[Part] = []
        self.errors: list[Exception] = []
        self.balancer: BalancerController | None = None
        self.running = Running(pid=os.getpid(), started=start_time(os.getpid()), checkout_id=state.checkout_id)

    def run(self) -> None:
        """Until SIGTERM. Raises `ExceptionGroup` of what could not be ended or removed."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: self.ending.set())
        group = Cgroup(f"{self.state.checkout_id}/daemon")
        group.create()
        group.join()
        with ExitStack() as stack:
            self._start(stack)
            self._watch()
            log.info("stopping")
        if self.errors:
            raise ExceptionGroup("the local cloud did not end cleanly", self.errors)

    def _start(self, stack: ExitStack) -> None:
        state, world = self.state, self.world
        network, image = Network(state.checkout_id), Image()
        image.ensure(log.info)
        stack.enter_context(image.held())
        self._finally(stack, network.destroy)
        network.create()
        listening = [socket.create_server(("127.0.0.1", 0), backlog=256), network.listen(API, API_PORT)]
        api = FaultyApi(listening, state)
        imds = ImdsServer(world, network.listen(METADATA, 80))
        for server in (api, imds):
            server.start()
            self._finally(stack, server.stop)
        self.balancer = BalancerController(world, network, image, state)
        controllers: list[Controller] = [
            Ec2Controller(world, network, image, state),
            AutoscalingController(world),
            DnsController(world, network, image, state),
            FirewallController(world, network),
            DatabaseController(world, network, image, state),
            self.balancer,
        ]
        self.parts = [Part(controller, self.ending) for controller in controllers]
        self._finally(stack, self._end_parts)
        for part in self.parts:
            part.start()
        self.running = self._snapshot(ready=True, api_port=listening[0].getsockname()[1])
        self.state.write(self.running)
        log.info("ready: API on 127.0.0.1:%d", self.running.api_port)

    def _watch(self) -> None:
        """Keeps `localcloud.json` true."""
        while not self.ending.wait(2 * TURN_SECONDS):
            now = self._snapshot(ready=True, api_port=self.running.api_port)
            if now != self.running:
                self.state.write(now)
                self.running = now

    def _snapshot(self, *, ready: bool, api_port: int) -> Running:
        return Running(
            pid=self.running.pid,
            started=self.running.started,
            checkout_id=self.running.checkout_id,
            ready=ready,
            api_port=api_port,
            published=self.balancer.published if self.balancer else {},
            controllers={part.name: part.error for part in self.parts},
            machines={each.id: f"{each.state} {each.private_ip}" for each in self.world.instances()},
        )

    def _end_parts(self) -> None:
        """All at once: each waits for processes of its own."""
        self.ending.set()
        enders = [threading.Thread(target=self._attempt, args=(part.controller.stop,)) for part in self.parts]
        for part in self.parts:
            part.join(STOP_SECONDS)
        for ender in enders:
            ender.start()
        for ender in enders:
            ender.join()

    def _finally(self, stack: ExitStack, act: Callable[[], object]) -> None:
        stack.callback(self._attempt, act)

    def _attempt(self, act: Callable[[], object]) -> None:
        try:
            act()
        except Exception as error:  # each is reported, none stops the others
            log.exception("stopping failed")
            self.errors.append(error)


def main() -> int:
    """Exit status 0 when everything was ended and removed; 1 with tracebacks in the log when not."""
    state = State()
    state.create()
    with (state.folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        log_to_files(state)
        started = time.monotonic()
        Daemon(state).run()
        log.info("ended after %.0f s", time.monotonic() - started)
    return 0

"""Process 1 of a server container: `python3 -m compose.server`. It serves what the volume's pointer names.

A delivery changes no container. Each server sees the pointer move, starts the new deployment in its idle slot, asks it
what the gate asks, and only then switches: one server after the other, by a lock on the volume. What fails leaves the
old deployment serving. SIGTERM first takes the server out of the balancer, and then ends it.
"""

import contextlib
import fcntl
import os
import signal
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from types import FrameType

from slipway_node.activation import Activation
from slipway_node.node import ActivationError, Node, log
from slipway_node.state import State

from compose.memory import MEMORY, available_mib
from compose.processes import STOP_SECONDS, Processes, nginx
from compose.volume import Volume

TICK_SECONDS = 0.5
SEEN_SECONDS = 4.0
"""By then the balancer has asked twice whether this server is ready: see compose/haproxy.cfg."""
REFUSED_SECONDS = 15.0
NEEDED_MIB = 512


class EndingError(Exception):
    """SIGTERM has come."""


class Containers(Activation):
    """The node's activation, with child processes for units, and files that a delivery puts there and prunes."""

    slots: Processes

    def __init__(self, node: Node, volume: Volume, slots: Processes) -> None:
        super().__init__(node, volume)
        self.slots = slots

    def _prune(self, now: State) -> None:
        """Nothing here is this server's to remove."""


class Server:
    def __init__(self, activation: Containers) -> None:
        self.activation = activation
        self.slots = activation.slots
        self._refused: tuple[str, float] | None = None

    def run(self) -> None:
        """Until SIGTERM comes. Returns earlier when Nginx ends: the engine then starts the whole container again."""
        try:
            while self.slots.nginx is None or self.slots.nginx.status is None:
                self.follow()
                self.slots.revive()
                self.slots.bury()
                time.sleep(TICK_SECONDS)
        except EndingError:
            self.drain()

    def follow(self) -> None:
        """Serves what the pointer names, unless it does or was refused a moment ago."""
        wanted = self.activation.cloud.pointer()
        confirmed = self.activation.load().confirmed
        if confirmed and confirmed.deployment == wanted:
            return
        if self._refused and self._refused[0] == wanted and time.monotonic() < self._refused[1]:
            return
        try:
            with self._turn(alone=confirmed is not None):
                self.activation.activate(wanted)
        except (ActivationError, OSError) as failure:
            self._refused = (wanted, time.monotonic() + REFUSED_SECONDS)
            fields = failure.fields if isinstance(failure, ActivationError) else {}
            log("refused", wanted=wanted, message=str(failure), **fields)
            if confirmed is None:
                self._stand_in(wanted)

    def _stand_in(self, wanted: str) -> None:
        """A server that has nothing to serve takes what was served before."""
        if previous := self.activation.cloud.previous(wanted):
            with contextlib.suppress(ActivationError, OSError):
                self.activation.activate(previous)
                log("standing-in", deployment=previous, instead_of=wanted)

    @contextlib.contextmanager
    def _turn(self, *, alone: bool) -> Iterator[None]:
        """One server at a time while others could serve; a server that serves nothing yet waits for nobody."""
        handle = os.open(self.activation.node.models, os.O_RDONLY | os.O_DIRECTORY)
        try:
            if alone:
                fcntl.flock(handle, fcntl.LOCK_EX)
            yield
        finally:
            os.close(handle)

    def drain(self) -> None:
        """Out of the balancer first; then what was taken is answered; then the end."""
        log("draining", seconds=SEEN_SECONDS)
        (self.activation.node.run / "draining").touch()
        if self.slots.nginx:
            time.sleep(SEEN_SECONDS)
            self.slots.nginx.end(signal.SIGQUIT, STOP_SECONDS)
        for slot in list(self.slots.children):
            self.slots.stop(slot)
        log("drained")


def prepared() -> Containers:
    """The node as this container is one: its own state lies in memory, and a new container has none."""
    given = Node.load()
    node = replace(given, deployments=given.slots.with_name("deployments"))
    for folder in (node.slots, node.deployments):
        folder.mkdir(exist_ok=True)
    (release,) = (entry.name for entry in node.releases.iterdir())
    return Containers(node, Volume(node, release), Processes(node, partial(nginx, node)))


def require_memory(file: Path = MEMORY) -> None:
    """Ends with one line when a model server would only be killed by the kernel."""
    if (free := available_mib(file)) < NEEDED_MIB:
        sys.exit(f"server: this host has {free} MiB of memory free, {NEEDED_MIB} are needed: free some, or scale in")


def ending(number: int, frame: FrameType | None) -> None:  # noqa: ARG001
    for each in (signal.SIGTERM, signal.SIGINT):
        signal.signal(each, signal.SIG_IGN)
    raise EndingError


def main() -> None:
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, ending)
    require_memory()
    Server(prepared()).run()


if __name__ == "__main__":
    with contextlib.suppress(EndingError):
        main()

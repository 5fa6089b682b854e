"""Keeps dnsmasq, its files and the subnets' routers as the API has them.

A changed file needs only SIGHUP; a new subnet needs a new dnsmasq, which holds nothing that would be lost (leases are
all static, and a machine asks again).
"""

import signal
from ipaddress import IPv4Interface, IPv4Network
from pathlib import Path

from localcloud.dns import config, upstream
from localcloud.image import Image
from localcloud.model import World
from localcloud.network import Network
from localcloud.process import Process, spawn
from localcloud.state import State


class DnsController:
    name = "dns"

    def __init__(self, world: World, network: Network, image: Image, state: State) -> None:
        self._world = world
        self._network = network
        self._image = image
        self._folder = state.folder / "dns"
        self._log = state.log(self.name)
        self._upstream: tuple[str, ...] | None = None
        self._routers: set[IPv4Interface] = set()
        self._shape: config.Shape | None = None
        self._process: Process | None = None

    def reconcile(self) -> None:
        instances = [each for each in self._world.instances() if each.state != "terminated"]
        databases = self._world.databases()
        subnets = {each.subnet_cidr for each in instances} | {each.subnet_cidr for each in databases}
        self._route(subnets)
        changed = self._write(config.HOSTS_FILE, config.hosts(instances, databases))
        changed |= self._write(config.DHCP_FILE, config.dhcp_hosts(instances))
        # A subnet once seen stays: a range without machines does no harm, and a restart does a little.
        known = set(self._shape.subnets) if self._shape else set()
        self._serve(config.Shape(self._world.region, tuple(sorted(subnets | known)), self._resolvers()), changed)

    def stop(self) -> None:
        if self._process:
            self._process.terminate()
            self._process = None

    def _route(self, subnets: set[IPv4Network]) -> None:
        for address in {config.router(subnet) for subnet in subnets} - self._routers:
            self._network.add_address(address)
            self._routers.add(address)

    def _resolvers(self) -> tuple[str, ...]:
        if self._upstream is None:
            self._upstream = self._network.inside(lambda: upstream.answering(upstream.candidates()))
        return self._upstream

    def _write(self, name: str, text: str) -> bool:
        """Whether the file had to change. Replaced as a whole: dnsmasq sees the folder, and may read at any time."""
        file = self._folder / name
        if file.exists() and file.read_text() == text:
            return False
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        temporary = Path(f"{file}.new")
        temporary.write_text(text)
        temporary.replace(file)
        return True

    def _serve(self, shape: config.Shape, files_changed: bool) -> None:
        if self._process and self._process.alive and shape == self._shape:
            if files_changed:
                self._process.send(signal.SIGHUP)
            return
        self.stop()
        words = self._image.command(config.argv(shape), binds={self._folder: config.FOLDER})
        self._process = spawn(words, log=self._log, netns=self._network.netns)
        self._shape = shape

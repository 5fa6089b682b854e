"""The local cloud's own network: a namespace with one bridge, and a masked way out through the host.

Every address of the VPC lives in the namespace, so that overlapping networks of two checkouts, or of the host itself
(which may be an EC2 instance with a 169.254.169.254 of its own), never meet. On the host there are just one veth pair,
one nftables table, both named after the checkout, and forwarding on the interface of the default route.
"""

import ctypes
import hashlib
import os
import socket
import threading
from collections.abc import Callable
from functools import partial
from ipaddress import IPv4Interface
from pathlib import Path
from typing import TypeVar

from localcloud import uplink
from ops.run import run

BRIDGE = "br0"
BRIDGE_MAC = "0e:00:00:00:00:01"
UPLINK = "uplink"
METADATA = "169.254.169.254"
RESOLVER = "169.254.169.253"
API = "169.254.169.250"
API_PORT = 4566
NETNS = Path("/run/netns")
CLONE_NEWNET = 0x40000000
INSIDE = "table ip slipway { chain out { type nat hook postrouting priority srcnat; oifname uplink masquerade; }; }"
SYSCTLS = {"ip_forward": "1", "conf/all/send_redirects": "0", f"conf/{BRIDGE}/send_redirects": "0"}

T = TypeVar("T")


class Network:
    """`netns` is the namespace's name; machines are `nsenter`ed into it and put their interface on the bridge `br0`."""

    def __init__(self, checkout_id: str) -> None:
        self.netns = checkout_id

    def create(self) -> None:
        """Raises `CommandError` when any of it exists already: `destroy` first."""
        run(["ip", "netns", "add", self.netns])
        link = f"link add {BRIDGE} address {BRIDGE_MAC} type bridge stp_state 0 forward_delay 0"
        self.ip("link set lo up", link, f"link set {BRIDGE} up")
        for address in (METADATA, RESOLVER, API):
            self.add_address(IPv4Interface(address))
        self.inside(_set_sysctls)
        own = uplink.create(self.netns, UPLINK)
        self.ip(
            f"addr add {own.namespace} dev {UPLINK}",
            f"link set {UPLINK} up",
            f"route add default via {own.host.ip}",
        )
        self.nft(INSIDE)

    def destroy(self) -> None:
        """Removes whatever of it there is. Raises `ExceptionGroup` of what could not be removed, after trying all."""
        errors: list[Exception] = []
        steps = [partial(_delete, name) for name in self.namespaces()]
        for step in [*steps, partial(uplink.destroy, self.netns)]:
            try:
                step()
            except Exception as error:  # each is reported, none stops the others
                errors.append(error)
        if errors:
            raise ExceptionGroup(f"network {self.netns} is not all gone", errors)

    def namespaces(self) -> list[str]:
        """The names of those of its namespaces that exist: attached ones first, its own last."""
        found = [path.name for path in NETNS.glob(f"{self.netns}-*")] if NETNS.is_dir() else []
        return [*sorted(found), *([self.netns] if (NETNS / self.netns).exists() else [])]

    def add_address(self, address: IPv4Interface) -> None:
        """Gives the bridge an address: a subnet's router, a load balancer's interface. Again is fine."""
        self.ip(f"addr replace {address} dev {BRIDGE}")

    def remove_address(self, address: IPv4Interface) -> None:
        run(["ip", "-n", self.netns, "addr", "del", str(address), "dev", BRIDGE], check=False)

    def attach(self, name: str, address: IPv4Interface) -> str:
        """Makes a namespace with `address` on its `eth0`, plugged into the bridge, and returns its name."""
        netns, port = f"{self.netns}-{name}", port_name(name)
        router = IPv4Interface((address.network[1], address.network.prefixlen))
        self.add_address(router)
        run(["ip", "netns", "add", netns])
        self.ip(
            f"link add {port} type veth peer name eth0 netns {netns}",
            f"link set {port} master {BRIDGE} up",
        )
        commands = ["link set lo up", f"addr add {address} dev eth0", "link set eth0 up"]
        run(["ip", "-n", netns, "-batch", "-"], input="\n".join([*commands, f"route add default via {router.ip}"]))
        return netns

    def detach(self, name: str) -> None:
        """Removes what `attach` made. Its processes must have ended. Again is fine."""
        if (NETNS / f"{self.netns}-{name}").exists():
            _delete(f"{self.netns}-{name}")
        run(["ip", "-n", self.netns, "link", "del", port_name(name)], check=False)

    def listen(self, address: str, port: int) -> socket.socket:
        """A TCP socket that listens inside the namespace, to be used from anywhere in this process."""
        return self.inside(lambda: socket.create_server((address, port), backlog=256))

    def inside(self, act: Callable[[], T], netns: str | None = None) -> T:
        """What `act` returns when run by a thread of its own inside the namespace (or in `netns`, an attached one)."""
        outcome: list[T] = []
        errors: list[BaseException] = []

        def work() -> None:
            try:
                _enter(netns or self.netns)
                outcome.append(act())
            except BaseException as error:
                errors.append(error)

        thread = threading.Thread(target=work, name="netns")
        thread.start()
        thread.join()
        if errors:
            raise errors[0]
        return outcome[0]

    def ip(self, *commands: str) -> None:
        """Runs `ip` commands inside, in one process."""
        run(["ip", "-n", self.netns, "-batch", "-"], input="\n".join(commands) + "\n")

    def nft(self, ruleset: str) -> None:
        """Loads an nftables ruleset inside, atomically. Never touches the host's own rules."""
        run(["nsenter", f"--net={NETNS / self.netns}", "--", "nft", "-f", "-"], input=ruleset)


def port_name(name: str) -> str:
    """The bridge port of an attached namespace: an interface name has 15 characters at most."""
    return "at-" + hashlib.sha256(name.encode()).hexdigest()[:8]


def _delete(netns: str) -> None:
    run(["ip", "netns", "delete", netns])


def _set_sysctls() -> None:
    """Routing between subnets happens on one bridge, where the kernel would tell machines of a shorter way."""
    for name, value in SYSCTLS.items():
        Path("/proc/sys/net/ipv4", name).write_text(value)


def _enter(netns: str) -> None:
    """Moves the calling thread alone into a namespace. `os.setns` comes only with Python 3.12."""
    libc = ctypes.CDLL(None, use_errno=True)
    descriptor = os.open(NETNS / netns, os.O_RDONLY)
    try:
        if libc.setns(descriptor, CLONE_NEWNET) != 0:
            raise OSError(ctypes.get_errno(), f"setns {netns}: {os.strerror(ctypes.get_errno())}")
    finally:
        os.close(descriptor)

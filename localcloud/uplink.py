"""The way out of the local cloud's namespace: everything that it puts on the host's own network, and takes back.

One veth pair on a /30 of the carrier-grade NAT range that nothing on this host uses, one nftables table, and forwarding
switched on for two interfaces only. Machines can reach what the host reaches, but nothing on the host itself.
"""

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from ipaddress import IPv4Interface, IPv4Network
from pathlib import Path

from ops.errors import UserError
from ops.run import run

POOL = IPv4Network("100.64.0.0/10")
SYSCTL = Path("/proc/sys/net/ipv4/conf")
# Interfaces whose forwarding we switched on. Lost at a reboot, as the switch itself is.
RECORD = Path("/run/slipway/forwarding")
CHECKOUT = re.compile(r"slipway-[0-9a-f]{6}")


@dataclass(frozen=True)
class Uplink:
    host: IPv4Interface
    namespace: IPv4Interface


def create(name: str, peer: str) -> Uplink:
    """Makes the interface `name` on the host, its `peer` in the namespace `name`, and the table `name`."""
    own = choose(name, taken())
    run(["ip", "link", "add", name, "type", "veth", "peer", "name", peer, "netns", name])
    run(["ip", "addr", "add", str(own.host), "dev", name])
    run(["ip", "link", "set", name, "up"])
    run(["nft", "-f", "-"], input=ruleset(name, own.host.network))
    (SYSCTL / name / "forwarding").write_text("1")
    for interface in _default_interfaces():
        _forward(interface)
    return own


def destroy(name: str) -> None:
    """Removes the interface and the table when they exist; the last local cloud restores the host's forwarding."""
    run(["ip", "link", "delete", name], check=False)
    if table_exists(name):
        run(["nft", "delete", "table", "ip", name])
    others = {link["ifname"] for link in _ip("link")} - {name}
    if RECORD.exists() and not any(CHECKOUT.fullmatch(other) for other in others):
        for interface in RECORD.read_text().split():
            if (SYSCTL / interface).is_dir():
                (SYSCTL / interface / "forwarding").write_text("0")
        RECORD.unlink()


def exists(name: str) -> bool:
    return table_exists(name) or any(link["ifname"] == name for link in _ip("link"))


def table_exists(name: str) -> bool:
    return run(["nft", "list", "table", "ip", name], check=False).ok


def choose(name: str, used: Iterable[IPv4Network]) -> Uplink:
    """The /30 for a checkout: the one its id points at, or the next that overlaps nothing in `used`."""
    used = list(used)
    count = POOL.num_addresses // 4
    first = int(name.rpartition("-")[2], 16)
    for step in range(count):
        network = IPv4Network((int(POOL.network_address) + 4 * ((first + step) % count), 30))
        if not any(network.overlaps(other) for other in used):
            return Uplink(IPv4Interface((network[1], 30)), IPv4Interface((network[2], 30)))
    raise UserError(f"no free /30 in {POOL} on this host", "remove a route that covers all of it")


def taken() -> list[IPv4Network]:
    """Every network that this host has a route or an address for, the default route aside."""
    routes = [route["dst"] for route in _ip("route", "show", "table", "all")]
    return [IPv4Network(route) for route in routes if re.fullmatch(r"[0-9./]+", route)]


def ruleset(name: str, network: IPv4Network) -> str:
    """Masks what leaves, keeps machines off the host's own ports, and fits segments to the way out's MTU."""
    clamp = "tcp flags syn tcp option maxseg size set rt mtu"
    return f"""table ip {name} {{
  chain out {{ type nat hook postrouting priority srcnat; ip saddr {network} oifname != "{name}" masquerade; }}
  chain own {{ type filter hook input priority filter; iifname "{name}" ip protocol != icmp drop; }}
  chain via {{
    type filter hook forward priority mangle;
    iifname "{name}" {clamp}
    oifname "{name}" {clamp}
  }}
}}
"""


def _default_interfaces() -> list[str]:
    return sorted({route["dev"] for route in _ip("route", "show", "default") if "dev" in route})


def _forward(interface: str) -> None:
    """Switches forwarding on for an interface of the host, and notes it when it was off: answers come in there."""
    switch = SYSCTL / interface / "forwarding"
    if switch.read_text().strip() == "0":
        RECORD.parent.mkdir(exist_ok=True)
        with RECORD.open("a") as record:
            record.write(f"{interface}\n")
        switch.write_text("1")


def _ip(*words: str) -> list[dict[str, str]]:
    listed: list[dict[str, str]] = json.loads(run(["ip", "-4", "-json", *words]).stdout or "[]")
    return [entry for entry in listed if entry]

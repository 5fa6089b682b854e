"""Security groups as one nftables ruleset: a pure function of who has which address and what the groups allow.

A bridge has no connection tracking here, so nothing is bridged between machines at all: the bridge table drops it, the
bridge answers for every address (`proxy_arp_pvlan`), and what one machine sends another is routed, where `ct state`
works. That is also how a VPC looks from inside. A new connection must pass two gates, as on EC2: the egress rules of
its source and the ingress rules of its destination; what belongs to an accepted connection passes both.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address

from localcloud.model import Rule, SecurityGroup

BRIDGE = "br0"
TABLE = "slipway-groups"
METADATA, RESOLVER, API = "169.254.169.254", "169.254.169.253", "169.254.169.250"
# What every machine reaches whatever its groups say: on EC2 these never pass a security group either.
SERVICES = (
    "udp sport 68 udp dport 67 accept",
    f"ip daddr {METADATA} tcp dport 80 accept",
    f"ip daddr {RESOLVER} udp dport 53 accept",
    f"ip daddr {RESOLVER} tcp dport 53 accept",
    f"ip daddr {API} tcp dport 4566 accept",
)
PROTOCOLS = {"6": "tcp", "17": "udp", "1": "icmp"}


@dataclass(frozen=True)
class Interface:
    """An address with its security groups: a machine's, a balancer's, a database's."""

    address: IPv4Address
    groups: tuple[str, ...]


def render(interfaces: Sequence[Interface], groups: Sequence[SecurityGroup], routers: Iterable[IPv4Address]) -> str:
    """The whole ruleset, replacing the one before in a single transaction.

    `routers` are the subnets' own addresses. A group that no interface has is an EC2 Instance Connect Endpoint's: it
    stands at the routers, for that is where an operator's connection comes from.
    """
    members = _members(interfaces, groups, routers)
    known = sorted({each.address for each in interfaces})
    tables = [
        _table("bridge", TABLE, [_chain("forward", "filter", [])]),
        _table(
            "ip",
            TABLE,
            [
                *(_set(_set_name(group), addresses) for group, addresses in sorted(members.items())),
                _set("interfaces", known),
                ["chain egress {", *_rules(groups, "egress"), "drop", "}"],
                ["chain ingress {", *_rules(groups, "ingress"), "drop", "}"],
                _chain("input", "filter", ["ct state established,related accept", "iifname lo accept", *SERVICES]),
                *_gates("forward"),
                *_gates("output"),
            ],
        ),
    ]
    return "".join(tables)


def _gates(hook: str) -> list[list[str]]:
    """Two chains on one hook: a packet must be accepted by both. What only one end of is ours passes the other's."""
    leaving = [
        "ct state established,related accept",
        "ct state invalid drop",
        "ip saddr @interfaces goto egress",
        # A machine that uses an address which is not its own gets nowhere.
        *([f"iifname {BRIDGE} drop"] if hook == "forward" else []),
        "accept",
    ]
    # What DHCP answers belongs to no connection: the question came from nobody, to everybody.
    dhcp = ["udp sport 67 udp dport 68 accept"] if hook == "output" else []
    entering = ["ct state established,related accept", *dhcp, "ip daddr @interfaces goto ingress", "accept"]
    return [
        _chain(f"{hook}-egress", "filter", leaving, hook=hook, priority=0),
        _chain(f"{hook}-ingress", "filter", entering, hook=hook, priority=10),
    ]


def _members(
    interfaces: Sequence[Interface], groups: Sequence[SecurityGroup], routers: Iterable[IPv4Address]
) -> dict[str, list[IPv4Address]]:
    found: dict[str, set[IPv4Address]] = {group.id: set() for group in groups}
    for interface in interfaces:
        for group in interface.groups:
            found.setdefault(group, set()).add(interface.address)
    standing = set(routers)
    return {group: sorted(addresses or standing) for group, addresses in found.items()}


def _rules(groups: Sequence[SecurityGroup], direction: str) -> list[str]:
    mine, theirs = ("saddr", "daddr") if direction == "egress" else ("daddr", "saddr")
    known = {group.id for group in groups}
    lines = []
    for group in sorted(groups, key=lambda each: each.id):
        for rule in group.rules:
            peer = _peer(rule, theirs, known)
            if rule.direction == direction and peer is not None:
                words = [f"ip {mine} @{_set_name(group.id)}", peer, _traffic(rule), "accept"]
                lines.append(" ".join(filter(None, words)))
    return lines


def _peer(rule: Rule, side: str, known: set[str]) -> str | None:
    """The other end of a rule; None when it names a group that is no more, which then allows nothing."""
    if rule.group_id is not None:
        return f"ip {side} @{_set_name(rule.group_id)}" if rule.group_id in known else None
    if rule.cidr is None:
        return None
    return "" if rule.cidr.prefixlen == 0 else f"ip {side} {rule.cidr}"


def _traffic(rule: Rule) -> str:
    protocol = PROTOCOLS.get(rule.protocol, rule.protocol)
    if protocol in ("-1", "all"):
        return ""
    if protocol not in ("tcp", "udp") or rule.port_from is None or rule.port_from < 0:
        return f"meta l4proto {protocol}"
    last = rule.port_from if rule.port_to is None else rule.port_to
    return f"{protocol} dport {rule.port_from}" + (f"-{last}" if last != rule.port_from else "")


def _set_name(group_id: str) -> str:
    return group_id.replace("-", "_")


def _set(name: str, addresses: Sequence[IPv4Address]) -> list[str]:
    elements = f"elements = {{ {', '.join(map(str, addresses))} }}" if addresses else ""
    return [f"set {name} {{", "type ipv4_addr", *filter(None, [elements]), "}"]


def _chain(name: str, kind: str, rules: Sequence[str], *, hook: str = "", priority: int = 0) -> list[str]:
    head = f"type {kind} hook {hook or name} priority {priority}; policy drop;"
    return [f"chain {name} {{", head, *rules, "}"]


def _table(family: str, name: str, parts: Sequence[Sequence[str]]) -> str:
    body = "\n".join("\n".join(part) for part in parts)
    return f"table {family} {name}\ndelete table {family} {name}\ntable {family} {name} {{\n{body}\n}}\n"

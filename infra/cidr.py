"""Where subnets lie in the VPC: a plan that a later zone does not move.

The VPC is cut in four (public, private, isolated, and one quarter left free), each quarter in four slots, one per zone.
"""

from collections.abc import Iterable, Mapping, Sequence
from enum import StrEnum
from ipaddress import IPv4Network
from itertools import combinations


class Tier(StrEnum):
    PUBLIC = "public"
    PRIVATE = "private"
    ISOLATED = "isolated"


SMALLEST = 22
"""A /22 gives /26 subnets; a balancer needs at least a /27 with 8 addresses free in each zone."""
LARGEST = 16

Subnets = Mapping[str, Mapping[Tier, IPv4Network]]


def plan(vpc: IPv4Network, zones: Sequence[str], given: Subnets | None = None) -> dict[str, dict[Tier, IPv4Network]]:
    """Zone → tier → range. What `given` names is taken from there."""
    quarters = list(vpc.subnets(prefixlen_diff=2))
    planned = {
        zone: {
            tier: list(quarter.subnets(prefixlen_diff=2))[slot] for tier, quarter in zip(Tier, quarters, strict=False)
        }
        for slot, zone in enumerate(zones)
    }
    return {zone: tiers | dict((given or {}).get(zone, {})) for zone, tiers in planned.items()}


def named(subnets: Subnets) -> list[tuple[str, IPv4Network]]:
    return [(f"{zone}.{tier}", network) for zone, tiers in subnets.items() for tier, network in tiers.items()]


def overlaps(ranges: Iterable[tuple[str, IPv4Network]]) -> list[tuple[str, str]]:
    """The pairs of names whose ranges share an address."""
    return [(a, b) for (a, left), (b, right) in combinations(list(ranges), 2) if left.overlaps(right)]

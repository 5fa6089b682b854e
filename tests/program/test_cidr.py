"""Where subnets lie: apart from each other, inside the VPC, and where they were before a zone was added."""

from ipaddress import IPv4Network

from hypothesis import given
from hypothesis import strategies as st

from infra.cidr import LARGEST, SMALLEST, Tier, named, overlaps, plan

ZONES = ["us-east-1a", "us-east-1b", "us-east-1c"]
sizes = st.integers(LARGEST, SMALLEST)


@given(sizes, st.integers(2, 3))
def test_subnets_lie_in_the_vpc_and_do_not_overlap(prefix: int, zones: int) -> None:
    vpc = IPv4Network(f"10.20.0.0/{prefix}")
    subnets = named(plan(vpc, ZONES[:zones]))
    assert len(subnets) == 3 * zones
    assert all(network.subnet_of(vpc) for _, network in subnets)
    assert not overlaps(subnets)


@given(sizes)
def test_every_public_subnet_has_room_for_a_balancer(prefix: int) -> None:
    for tiers in plan(IPv4Network(f"10.20.0.0/{prefix}"), ZONES).values():
        assert tiers[Tier.PUBLIC].prefixlen <= 27


def test_a_third_zone_moves_no_subnet() -> None:
    vpc = IPv4Network("10.20.0.0/16")
    two, three = plan(vpc, ZONES[:2]), plan(vpc, ZONES)
    assert {zone: three[zone] for zone in two} == two


def test_a_given_range_replaces_the_planned_one_alone() -> None:
    vpc, other = IPv4Network("10.20.0.0/16"), IPv4Network("10.20.192.0/20")
    given_subnets = {"us-east-1b": {Tier.PRIVATE: other}}
    planned, changed = plan(vpc, ZONES), plan(vpc, ZONES, given_subnets)
    assert changed["us-east-1b"][Tier.PRIVATE] == other
    assert changed["us-east-1b"][Tier.PUBLIC] == planned["us-east-1b"][Tier.PUBLIC]
    assert changed["us-east-1a"] == planned["us-east-1a"]


def test_overlapping_ranges_are_named_in_pairs() -> None:
    ranges = [("a", IPv4Network("10.0.0.0/24")), ("b", IPv4Network("10.0.0.128/25")), ("c", IPv4Network("10.0.1.0/24"))]
    assert overlaps(ranges) == [("a", "b")]

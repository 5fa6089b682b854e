"""Security groups as nftables rules."""

from ipaddress import IPv4Address, IPv4Network

import pytest

from localcloud.firewall.ruleset import Interface, render
from localcloud.model import Rule, SecurityGroup

ROUTER = IPv4Address("10.0.1.1")
WEB = Interface(IPv4Address("10.0.1.9"), ("sg-web",))
NODE = Interface(IPv4Address("10.0.1.11"), ("sg-node",))


def rule(protocol: str = "tcp", ports: tuple[int, int] | None = (8080, 8080), **ends: object) -> Rule:
    first, last = ports or (None, None)
    return Rule(direction="ingress", protocol=protocol, port_from=first, port_to=last, **ends)  # type: ignore[arg-type]


def text(*rules: Rule, interfaces: tuple[Interface, ...] = (WEB, NODE)) -> str:
    groups = [SecurityGroup(id="sg-node", vpc_id="v", rules=rules), SecurityGroup(id="sg-web", vpc_id="v", rules=())]
    return render(interfaces, groups, [ROUTER])


def ingress(*rules: Rule) -> list[str]:
    lines = text(*rules).split("chain ingress {\n")[1].split("}")[0].strip().splitlines()
    assert lines[-1] == "drop", "what no rule allows is dropped"
    return lines[:-1]


def test_without_rules_nothing_passes() -> None:
    assert ingress() == []


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (rule(group_id="sg-web"), "ip daddr @sg_node ip saddr @sg_web tcp dport 8080 accept"),
        (rule(cidr=IPv4Network("10.0.0.0/16")), "ip daddr @sg_node ip saddr 10.0.0.0/16 tcp dport 8080 accept"),
        (rule(cidr=IPv4Network("0.0.0.0/0")), "ip daddr @sg_node tcp dport 8080 accept"),
        (rule(ports=(1, 9), cidr=IPv4Network("0.0.0.0/0")), "ip daddr @sg_node tcp dport 1-9 accept"),
        (rule("-1", None, cidr=IPv4Network("0.0.0.0/0")), "ip daddr @sg_node accept"),
        (rule("icmp", (-1, -1), cidr=IPv4Network("0.0.0.0/0")), "ip daddr @sg_node meta l4proto icmp accept"),
        (rule("17", (53, 53), cidr=IPv4Network("0.0.0.0/0")), "ip daddr @sg_node udp dport 53 accept"),
    ],
)
def test_a_rule_allows_exactly_what_it_names(given: Rule, expected: str) -> None:
    assert ingress(given) == [expected]


def test_a_rule_that_names_a_deleted_group_allows_nothing() -> None:
    assert ingress(rule(group_id="sg-gone")) == []


def test_a_group_without_interfaces_is_the_connect_endpoints_and_stands_at_the_routers() -> None:
    found = text(interfaces=(NODE,))
    assert "set sg_web {\ntype ipv4_addr\nelements = { 10.0.1.1 }\n}" in found
    assert "set sg_node {\ntype ipv4_addr\nelements = { 10.0.1.11 }\n}" in found


def test_every_base_chain_is_closed_by_default_and_nothing_is_bridged() -> None:
    found = text()
    assert found.count("policy drop") == 6
    assert "policy accept" not in found
    assert (
        "table bridge slipway-groups {\nchain forward {\ntype filter hook forward priority 0; policy drop;\n}" in found
    )


def test_the_ruleset_replaces_the_one_before_in_one_transaction() -> None:
    found = text()
    assert found.index("delete table ip slipway-groups") < found.index("table ip slipway-groups {")
    assert text() == found

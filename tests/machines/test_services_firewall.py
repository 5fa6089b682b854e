"""Security groups between machines that share one subnet and one bridge, tried with real connections."""

import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace
from ipaddress import IPv4Address, IPv4Interface, IPv4Network

import pytest

from localcloud.firewall import FirewallController
from localcloud.model import Rule, SecurityGroup
from tests.machines.services import Lab, connects, lab
from tests.worlds import BALANCER, DATABASE, FakeWorld, an_instance

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="needs root")


def tcp(direction: str, port: int, group: str | None = None, cidr: str | None = None) -> Rule:
    network = IPv4Network(cidr) if cidr else None
    return Rule(direction=direction, protocol="tcp", port_from=port, port_to=port, group_id=group, cidr=network)  # type: ignore[arg-type]


def group(group_id: str, *rules: Rule) -> SecurityGroup:
    return SecurityGroup(id=group_id, vpc_id="vpc-0a", rules=rules)


EVERYWHERE = Rule(direction="egress", protocol="-1", port_from=None, port_to=None, cidr=IPv4Network("0.0.0.0/0"))
NODE = group("sg-node", tcp("ingress", 8080, "sg-web"), tcp("ingress", 22, "sg-endpoint"), EVERYWHERE)
DB = group("sg-0db", tcp("ingress", 8080, "sg-tracking"))
TRACKING = group("sg-tracking", EVERYWHERE)
WEB = group("sg-web", tcp("egress", 8080, "sg-node"))


@dataclass
class Stage:
    lab: Lab
    world: FakeWorld
    controller: FirewallController
    netns: dict[str, str]

    def reaches(self, source: str, address: str, port: int = 8080) -> bool:
        return connects(self.lab.network, self.netns[source], address, port)


@pytest.fixture(scope="module")
def stage() -> Iterator[Stage]:
    with lab() as found:
        world = FakeWorld()
        world.groups = [NODE, DB, TRACKING, WEB, group("sg-endpoint", EVERYWHERE)]
        world.machines = [
            an_instance(id="i-0a", private_ip=IPv4Address("10.0.1.11"), security_group_ids=("sg-node",)),
            an_instance(id="i-0b", private_ip=IPv4Address("10.0.1.12"), security_group_ids=("sg-node",)),
            an_instance(id="i-0t", private_ip=IPv4Address("10.0.1.13"), security_group_ids=("sg-tracking",)),
        ]
        world.database_records = [DATABASE]
        world.balancers = [replace(BALANCER, security_group_ids=("sg-web",))]
        controller = FirewallController(world, found.network)
        controller.reconcile()
        for address in BALANCER.addresses:
            found.network.add_address(IPv4Interface(address))
        hosts = {"a": "10.0.1.11/24", "b": "10.0.1.12/24", "t": "10.0.1.13/24", "db": "10.0.3.4/24"}
        for name, place in hosts.items():
            found.serve(name, place)
        netns = {name: f"{found.network.netns}-{name}" for name in hosts}
        found.serve_more("a", 22)
        yield Stage(found, world, controller, netns)


def test_machines_of_one_group_do_not_reach_each_other_unless_it_says_so(stage: Stage) -> None:
    assert not stage.reaches("a", "10.0.1.12")
    assert not stage.reaches("b", "10.0.1.11")


def test_the_balancer_reaches_the_nodes_and_nothing_else(stage: Stage) -> None:
    def from_balancer(address: str, port: int) -> bool:
        code = f"import socket; socket.create_connection(({address!r}, {port}), 1, source_address=('10.0.1.9', 0))"
        argv = ["nsenter", f"--net=/run/netns/{stage.lab.network.netns}", "--", sys.executable, "-c", code]
        return subprocess.run(argv, capture_output=True, check=False).returncode == 0

    assert from_balancer("10.0.1.11", 8080)
    assert not from_balancer("10.0.1.11", 22), "its egress rule names one port"
    assert not from_balancer("10.0.1.13", 8080), "its egress rule names one group"


def test_a_group_reference_lets_its_members_in_across_subnets_and_nobody_else(stage: Stage) -> None:
    assert stage.reaches("t", "10.0.3.4")
    assert not stage.reaches("a", "10.0.3.4")


def test_a_machine_without_egress_rules_opens_no_connection_and_still_answers(stage: Stage) -> None:
    assert not stage.reaches("db", "10.0.1.13")
    assert stage.reaches("t", "10.0.3.4"), "the answers belong to the connection that the other side was allowed"


def test_ssh_comes_from_the_connect_endpoint_only(stage: Stage) -> None:
    assert connects(stage.lab.network, stage.lab.network.netns, "10.0.1.11", 22)
    assert not stage.reaches("t", "10.0.1.11", 22)
    assert not connects(stage.lab.network, stage.lab.network.netns, "10.0.1.12", 8080)


def test_metadata_and_the_api_are_reached_whatever_the_groups_say(stage: Stage) -> None:
    with stage.lab.network.listen("169.254.169.254", 80), stage.lab.network.listen("169.254.169.250", 4566):
        assert stage.reaches("db", "169.254.169.254", 80)
        assert stage.reaches("db", "169.254.169.250", 4566)
        with stage.lab.network.listen("169.254.169.254", 81):
            assert not stage.reaches("a", "169.254.169.254", 81)


def test_a_changed_rule_holds_at_the_next_turn(stage: Stage) -> None:
    before = stage.world.groups
    stage.world.groups = [replace(NODE, rules=(*NODE.rules, tcp("ingress", 8080, cidr="10.0.1.12/32"))), *before[1:]]
    stage.controller.reconcile()
    assert stage.reaches("b", "10.0.1.11")
    assert not stage.reaches("t", "10.0.1.11")
    stage.world.groups = before
    stage.controller.reconcile()
    assert not stage.reaches("b", "10.0.1.11")


def test_an_address_that_is_not_the_machines_own_gets_nowhere(stage: Stage) -> None:
    run = ["ip", "-n", stage.netns["db"], "addr"]
    subprocess.run([*run, "add", "10.0.3.77/24", "dev", "eth0"], check=True)
    code = "import socket; socket.create_connection(('10.0.1.11', 8080), 1, source_address=('10.0.3.77', 0))"
    argv = ["nsenter", f"--net=/run/netns/{stage.netns['db']}", "--", sys.executable, "-c", code]
    assert subprocess.run(argv, capture_output=True, check=False).returncode != 0

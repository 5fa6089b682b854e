"""The network: every way in and out is one that a setting or a component asks for."""

from typing import Any

import pytest

from contract import PORTS
from tests.program.engine import Made, Recording, changed, run

GROUP = "aws:autoscaling/group:Group"
TEMPLATE = "aws:ec2/launchTemplate:LaunchTemplate"
INGRESS = "aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule"
EGRESS = "aws:vpc/securityGroupEgressRule:SecurityGroupEgressRule"

Config = dict[str, Any]


@pytest.mark.parametrize("egress", ["single-nat", "nat-per-zone", "none"])
def test_the_way_out_is_what_the_setting_says(prod: Config, egress: str) -> None:
    stack = run(changed(prod, {"network.egress": egress}), "prod")
    gateways = {"single-nat": 1, "nat-per-zone": 2, "none": 0}[egress]
    assert len(stack.of("aws:ec2/natGateway:NatGateway")) == len(stack.of("aws:ec2/eip:Eip")) == gateways
    anywhere = [rule for rule in stack.of(EGRESS) if rule.inputs.get("cidrIpv4") == "0.0.0.0/0"]
    assert bool(anywhere) == (egress != "none")


def test_what_exists_once_is_deleted_before_it_is_replaced(prod_stack: Recording) -> None:
    """An address serves one NAT gateway, and a network has one Instance Connect Endpoint."""
    for kind in (
        "aws:ec2/natGateway:NatGateway",
        "aws:ec2transitgateway/instanceConnectEndpoint:InstanceConnectEndpoint",
    ):
        assert prod_stack.one(kind).request.deleteBeforeReplace


def test_each_zone_leaves_by_its_own_gateway_when_each_has_one(prod: Config) -> None:
    stack = run(changed(prod, {"network.egress": "nat-per-zone"}), "prod")
    for zone in ("us-east-1a", "us-east-1b"):
        route = stack.one("aws:ec2/route:Route", f"-{zone}-out")
        assert route.inputs["natGatewayId"] == f"slipway-prod-nat-{zone}-id"


def test_nothing_is_open_to_the_world_unless_a_setting_says_so(stack: Recording) -> None:
    for rule in stack.of(INGRESS):
        assert rule.inputs.get("cidrIpv4") != "0.0.0.0/0", f"{rule.name} admits everybody"
        assert rule.inputs["ipProtocol"] == "tcp"
        assert rule.inputs["fromPort"] == rule.inputs["toPort"]


def test_ssh_is_admitted_from_the_endpoint_or_from_inside_only(local_stack: Recording, prod_stack: Recording) -> None:
    assert {_peer(rule) for rule in _ssh(local_stack)} == {"10.20.0.0/16", "slipway-local-tracking-id"}
    assert {_peer(rule) for rule in _ssh(prod_stack)} == {"slipway-prod-connect-id", "slipway-prod-tracking-id"}
    assert prod_stack.of("aws:ec2transitgateway/instanceConnectEndpoint:InstanceConnectEndpoint")
    assert not local_stack.of("aws:ec2transitgateway/instanceConnectEndpoint:InstanceConnectEndpoint")


def test_the_watcher_reaches_serving_nodes_and_nobody_reaches_its_own(stack: Recording) -> None:
    inside = [rule.name for rule in _ssh(stack) if _peer(rule).endswith("-tracking-id")]
    assert [name.endswith("-serving-22-from-tracking") for name in inside] == [True]


def test_a_stack_that_nobody_logs_in_to_has_no_ssh_and_no_key(prod: Config) -> None:
    nobody = {"operatorAccess": "none", "operatorPublicKey": None, "delivery.followAlias": False}
    stack = run(changed(prod, nobody), "prod")
    assert not _ssh(stack)
    assert not stack.of("aws:ec2/keyPair:KeyPair")
    assert "keyName" not in stack.one(TEMPLATE, "-serving").inputs


def test_the_database_is_reached_from_the_tracking_node_only(stack: Recording) -> None:
    rules = [rule for rule in stack.of(INGRESS) if rule.inputs["fromPort"] == PORTS.database]
    assert [_peer(rule).endswith("-tracking-id") for rule in rules] == [True]


def test_nodes_have_no_public_address(stack: Recording) -> None:
    private = {made.name + "-id" for made in stack.of("aws:ec2/subnet:Subnet") if "-private-" in made.name}
    for group in stack.of(GROUP):
        assert set(group.inputs["vpcZoneIdentifiers"]) == private
    assert not [s.name for s in stack.of("aws:ec2/subnet:Subnet") if s.inputs["mapPublicIpOnLaunch"]]


def test_the_isolated_subnets_have_no_way_out(stack: Recording) -> None:
    tables = {route.inputs["routeTableId"] for route in stack.of("aws:ec2/route:Route")}
    assert not [table for table in tables if "isolated" in table]


def _ssh(stack: Recording) -> list[Made]:
    return [rule for rule in stack.of(INGRESS) if rule.inputs["fromPort"] == PORTS.ssh]


def _peer(rule: Made) -> str:
    return str(rule.inputs.get("cidrIpv4") or rule.inputs.get("referencedSecurityGroupId"))

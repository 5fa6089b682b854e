"""Route tables and routes."""

import zlib
from collections.abc import Iterable
from typing import Any

from localcloud.provider.call import Call
from localcloud.provider.resource import Args, Resource, State
from localcloud.provider.rules import cidr, conflicts, identifier
from localcloud.provider.schema import TAGS, blocks, text, texts
from localcloud.provider.shape import from_aws, to_aws
from localcloud.provider.tags import from_pairs, retag_ec2, specification

TARGETS = {
    "gatewayId": text(),
    "natGatewayId": text(identifier("nat")),
    "networkInterfaceId": text(identifier("eni")),
    "transitGatewayId": text(identifier("tgw")),
    "vpcEndpointId": text(identifier("vpce")),
    "vpcPeeringConnectionId": text(identifier("pcx")),
    "egressOnlyGatewayId": text(identifier("eigw"), aws="EgressOnlyInternetGatewayId"),
}
INLINE = {
    "cidrBlock": text(cidr(), aws="DestinationCidrBlock"),
    "ipv6CidrBlock": text(aws="DestinationIpv6CidrBlock"),
    "destinationPrefixListId": text(),
    **TARGETS,
}
DESTINATIONS = {
    "destinationCidrBlock": text(cidr(), replace=True),
    "destinationIpv6CidrBlock": text(replace=True),
    "destinationPrefixListId": text(replace=True),
}


def _own(route: dict[str, Any]) -> bool:
    """Not the VPC's local route, a gateway endpoint's, or one that a virtual gateway propagated."""
    by_endpoint = str(route.get("GatewayId", "")).startswith("vpce-")
    return route.get("GatewayId") != "local" and not by_endpoint and route.get("Origin") != "EnableVgwRoutePropagation"


class RouteTable(Resource):
    token = "aws:ec2/routeTable:RouteTable"
    inputs = {
        "vpcId": text(identifier("vpc"), required=True, replace=True),
        "routes": blocks(INLINE, computed=True, elsewhere=True, unordered=True),
        "propagatingVgws": texts(computed=True, elsewhere=True, unordered=True),
        **TAGS,
    }
    outputs = ("arn", "ownerId")

    def create(self, call: Call, args: Args) -> str:
        made = call.client("ec2").create_route_table(
            VpcId=args["vpcId"], TagSpecifications=specification("route-table", args["tagsAll"])
        )
        return str(made["RouteTable"]["RouteTableId"])

    def configure(self, call: Call, id: str, args: Args) -> None:
        if "routes" in args:
            self._align(call, id, args["routes"])

    def _look(self, call: Call, id: str) -> dict[str, Any]:
        return dict(call.client("ec2").describe_route_tables(RouteTableIds=[id])["RouteTables"][0])

    def _align(self, call: Call, id: str, wanted: list[dict[str, Any]]) -> None:
        client = call.client("ec2")
        have = {_destination(each): from_aws(INLINE, each) for each in self._look(call, id)["Routes"] if _own(each)}
        want = {_destination(to_aws(INLINE, each)): each for each in wanted}
        for destination in have.keys() - want.keys():
            client.delete_route(RouteTableId=id, **dict([destination]))
        for destination, route in want.items():
            if have.get(destination) != route:
                act = client.replace_route if destination in have else client.create_route
                act(RouteTableId=id, **to_aws(INLINE, route))

    def read(self, call: Call, id: str, state: State) -> dict[str, Any] | None:
        table = self._look(call, id)
        owner = table.get("OwnerId") or call.account
        return {
            "arn": f"arn:aws:ec2:{call.region}:{owner}:route-table/{id}",
            "ownerId": owner,
            "vpcId": table["VpcId"],
            "routes": [from_aws(INLINE, route) for route in table["Routes"] if _own(route)],
            "propagatingVgws": [each["GatewayId"] for each in table.get("PropagatingVgws") or []],
            "tagsAll": from_pairs(table.get("Tags")),
        }

    def update(self, call: Call, id: str, old: State, new: Args, changed: frozenset[str]) -> None:
        if "routes" in changed:
            self._align(call, id, new.get("routes") or [])
        retag_ec2(call.client("ec2"), id, old.get("tagsAll"), new["tagsAll"])

    def delete(self, call: Call, id: str, state: State) -> None:
        client = call.client("ec2")
        for each in self._look(call, id)["Associations"]:
            if not each.get("Main"):
                client.disassociate_route_table(AssociationId=each["RouteTableAssociationId"])
        client.delete_route_table(RouteTableId=id)
        call.wait_gone(lambda: client.describe_route_tables(RouteTableIds=[id])["RouteTables"], "the table", 300)


def _destination(route: dict[str, Any]) -> tuple[str, str]:
    for key in ("DestinationCidrBlock", "DestinationIpv6CidrBlock", "DestinationPrefixListId"):
        if route.get(key):
            return key, str(route[key])
    raise ValueError(f"a route without a destination: {route}")


class Route(Resource):
    token = "aws:ec2/route:Route"
    inputs = {
        "routeTableId": text(identifier("rtb"), required=True, replace=True),
        **DESTINATIONS,
        **TARGETS,
    }
    outputs = ("instanceId", "instanceOwnerId", "origin", "state")

    def check(self, args: Args) -> Iterable[tuple[str, str]]:
        given = dict(args)
        if not any(args.get(name) is not None for name in DESTINATIONS):
            yield "destinationCidrBlock", "a route needs a destination: a CIDR block or a prefix list"
        if not any(args.get(name) is not None for name in TARGETS):
            yield "gatewayId", f"a route needs a target: one of {', '.join(TARGETS)}"
        yield from conflicts(given, DESTINATIONS)
        yield from conflicts(given, TARGETS)

    def create(self, call: Call, args: Args) -> str:
        what = to_aws({**DESTINATIONS, **TARGETS}, args)
        client = call.client("ec2")
        unready = ("InvalidRouteTableID.NotFound", "InvalidGatewayID.NotFound", "InvalidParameterException")
        call.retry(
            lambda: client.create_route(RouteTableId=args["routeTableId"], **what), unready, "the target is new", 300
        )
        _, destination = _destination(to_aws(DESTINATIONS, args))
        return f"r-{args['routeTableId']}{zlib.crc32(destination.encode())}"

    def configure(self, call: Call, id: str, args: Args) -> None:
        def active() -> bool | None:
            return ((found := self._find(call, args)) is not None and found["State"] == "active") or None

        call.wait(active, "the route to be active", 300)

    def _find(self, call: Call, state: State) -> dict[str, Any] | None:
        found = call.client("ec2").describe_route_tables(RouteTableIds=[state["routeTableId"]])["RouteTables"]
        wanted = to_aws(DESTINATIONS, state)
        routes = found[0]["Routes"] if found else []
        return next((route for route in routes if wanted.items() <= route.items()), None)

    def read(self, call: Call, id: str, state: State) -> dict[str, Any] | None:
        if "_" in id and "routeTableId" not in state:  # an import says table_destination
            table, destination = id.split("_", 1)
            state = {"routeTableId": table, "destinationCidrBlock": destination}
            id = f"r-{table}{zlib.crc32(destination.encode())}"
        route = self._find(call, state)
        if route is None:
            return None
        found = from_aws({**DESTINATIONS, **TARGETS}, route)
        return {
            **found,
            "id": id,
            "routeTableId": state["routeTableId"],
            "instanceId": route.get("InstanceId"),
            "instanceOwnerId": route.get("InstanceOwnerId"),
            "origin": route.get("Origin"),
            "state": route.get("State"),
        }

    def update(self, call: Call, id: str, old: State, new: Args, changed: frozenset[str]) -> None:
        what = to_aws({**DESTINATIONS, **TARGETS}, new)
        call.client("ec2").replace_route(RouteTableId=new["routeTableId"], **what)
        self.configure(call, id, new)

    def delete(self, call: Call, id: str, state: State) -> None:
        where = to_aws(DESTINATIONS, state)
        call.client("ec2").delete_route(RouteTableId=state["routeTableId"], **where)
        call.wait_gone(lambda: self._find(call, state), "the route", 300)

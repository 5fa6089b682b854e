"""Which subnet, or gateway, uses which route table."""

from collections.abc import Iterable
from typing import Any

from localcloud.provider.call import Call
from localcloud.provider.resource import Args, Resource, State
from localcloud.provider.rules import conflicts, identifier
from localcloud.provider.schema import text
from localcloud.provider.shape import name_of, to_aws


class RouteTableAssociation(Resource):
    token = "aws:ec2/routeTableAssociation:RouteTableAssociation"
    inputs = {
        "routeTableId": text(identifier("rtb"), required=True),
        "subnetId": text(identifier("subnet"), replace=True),
        "gatewayId": text(replace=True),
    }

    def check(self, args: Args) -> Iterable[tuple[str, str]]:
        if args.get("subnetId") is None and args.get("gatewayId") is None:
            yield "subnetId", "one of subnetId and gatewayId is required"
        yield from conflicts(dict(args), ("subnetId", "gatewayId"))

    def _place(self, args: Args) -> dict[str, Any]:
        return to_aws({name: self.inputs[name] for name in ("subnetId", "gatewayId")}, args)

    def create(self, call: Call, args: Args) -> str:
        made = call.client("ec2").associate_route_table(RouteTableId=args["routeTableId"], **self._place(args))
        return str(made["AssociationId"])

    def _find(self, call: Call, id: str, state: State) -> dict[str, Any] | None:
        """By its subnet or gateway, which has one table at most: an update gives the association another id."""
        client = call.client("ec2")
        place = self._place(state)
        key = "association.subnet-id" if "SubnetId" in place else "association.gateway-id"
        filters = [{"Name": key, "Values": [*place.values()]}] if place else []
        if not place:
            filters = [{"Name": "association.route-table-association-id", "Values": [id.rsplit("/", maxsplit=1)[-1]]}]
        for table in client.describe_route_tables(Filters=filters)["RouteTables"]:
            for each in table["Associations"]:
                if place.items() <= each.items() and (place or each["RouteTableAssociationId"] == id):
                    return dict(each)
        return None

    def read(self, call: Call, id: str, state: State) -> dict[str, Any] | None:
        found = self._find(call, id, state)
        return found and {
            name: found.get(name_of(name, spec)) for name, spec in self.inputs.items() if found.get(name_of(name, spec))
        }

    def update(self, call: Call, id: str, old: State, new: Args, changed: frozenset[str]) -> None:
        found = self._find(call, id, old) or {"RouteTableAssociationId": id}
        call.client("ec2").replace_route_table_association(
            AssociationId=found["RouteTableAssociationId"], RouteTableId=new["routeTableId"]
        )

    def delete(self, call: Call, id: str, state: State) -> None:
        found = self._find(call, id, state)
        if found:
            call.client("ec2").disassociate_route_table(AssociationId=found["RouteTableAssociationId"])

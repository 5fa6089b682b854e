"""Where a database may live (subnet group), and the settings that it starts with (parameter group)."""

from typing import Any

from localcloud.provider.call import Call
from localcloud.provider.resource import Args, Resource, State
from localcloud.provider.rules import length, one_of
from localcloud.provider.schema import TAGS, blocks, text, texts
from localcloud.provider.tags import pairs
from localcloud.provider.types.rds.common import name, retag, tags


class SubnetGroup(Resource):
    token = "aws:rds/subnetGroup:SubnetGroup"
    inputs = {
        "name": name(),
        "description": text(length(1, 255), default="Managed by Pulumi"),
        "subnetIds": texts(required=True, unordered=True),
        **TAGS,
    }
    outputs = ("arn", "vpcId")

    def create(self, call: Call, args: Args) -> str:
        made = call.client("rds").create_db_subnet_group(
            DBSubnetGroupName=args["name"],
            DBSubnetGroupDescription=args["description"],
            SubnetIds=args["subnetIds"],
            Tags=pairs(args["tagsAll"]),
        )
        return str(made["DBSubnetGroup"]["DBSubnetGroupName"])

    def read(self, call: Call, id: str, state: State) -> dict[str, Any] | None:
        group = call.client("rds").describe_db_subnet_groups(DBSubnetGroupName=id)["DBSubnetGroups"][0]
        arn = group.get("DBSubnetGroupArn") or f"arn:aws:rds:{call.region}:{call.account}:subgrp:{id}"
        return {
            "arn": arn,
            "vpcId": group["VpcId"],
            "name": group["DBSubnetGroupName"],
            "description": group["DBSubnetGroupDescription"],
            "subnetIds": [each["SubnetIdentifier"] for each in group["Subnets"]],
            "tagsAll": tags(call, arn),
        }

    def update(self, call: Call, id: str, old: State, new: Args, changed: frozenset[str]) -> None:
        if changed & {"description", "subnetIds"}:
            call.client("rds").modify_db_subnet_group(
                DBSubnetGroupName=id, DBSubnetGroupDescription=new["description"], SubnetIds=new["subnetIds"]
            )
        retag(call, str(old["arn"]), old, new)

    def delete(self, call: Call, id: str, state: State) -> None:
        delete = call.client("rds").delete_db_subnet_group
        busy = ("InvalidDBSubnetGroupStateFault",)
        call.retry(lambda: delete(DBSubnetGroupName=id), busy, "the subnet group is in use", 120)


class ParameterGroup(Resource):
    token = "aws:rds/parameterGroup:ParameterGroup"
    inputs = {
        "name": name(),
        "family": text(required=True, replace=True),
        "description": text(length(1, 255), default="Managed by Pulumi", replace=True),
        "parameters": blocks(
            {
                "name": text(required=True),
                "value": text(required=True),
                "applyMethod": text(one_of("immediate", "pending-reboot"), default="immediate"),
            },
            unordered=True,
        ),
        **TAGS,
    }
    outputs = ("arn",)

    def create(self, call: Call, args: Args) -> str:
        call.client("rds").create_db_parameter_group(
            DBParameterGroupName=args["name"],
            DBParameterGroupFamily=args["family"],
            Description=args["description"],
            Tags=pairs(args["tagsAll"]),
        )
        return str(args["name"])

    def configure(self, call: Call, id: str, args: Args) -> None:
        wanted = [_parameter(each) for each in args.get("parameters") or []]
        if wanted:
            call.client("rds").modify_db_parameter_group(DBParameterGroupName=id, Parameters=wanted)

    def read(self, call: Call, id: str, state: State) -> dict[str, Any] | None:
        client = call.client("rds")
        group = client.describe_db_parameter_groups(DBParameterGroupName=id)["DBParameterGroups"][0]
        found = client.describe_db_parameters(DBParameterGroupName=id, Source="user")["Parameters"]
        arn = group.get("DBParameterGroupArn") or f"arn:aws:rds:{call.region}:{call.account}:pg:{id}"
        return {
            "arn": arn,
            "name": group["DBParameterGroupName"],
            "family": group["DBParameterGroupFamily"],
            "description": group["Description"],
            "parameters": [_block(each) for each in found],
            "tagsAll": tags(call, arn),
        }

    def update(self, call: Call, id: str, old: State, new: Args, changed: frozenset[str]) -> None:
        if "parameters" in changed:
            kept = {each["name"] for each in new.get("parameters") or []}
            dropped = [each for each in old.get("parameters") or [] if each["name"] not in kept]
            if dropped:
                call.client("rds").reset_db_parameter_group(
                    DBParameterGroupName=id, Parameters=[_parameter(each) for each in dropped]
                )
            self.configure(call, id, new)
        retag(call, str(old["arn"]), old, new)

    def delete(self, call: Call, id: str, state: State) -> None:
        delete = call.client("rds").delete_db_parameter_group
        busy = ("InvalidDBParameterGroupState", "InvalidDBParameterGroupStateFault")
        call.retry(lambda: delete(DBParameterGroupName=id), busy, "the parameter group is in use", 180)


def _parameter(block: dict[str, Any]) -> dict[str, str]:
    return {
        "ParameterName": block["name"],
        "ParameterValue": block["value"],
        "ApplyMethod": block.get("applyMethod") or "immediate",
    }


def _block(parameter: dict[str, Any]) -> dict[str, Any]:
    return {
        "name": parameter["ParameterName"],
        "value": parameter["ParameterValue"],
        "applyMethod": parameter.get("ApplyMethod") or "immediate",
    }

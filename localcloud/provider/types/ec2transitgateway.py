"""The EC2 Instance Connect Endpoint, which the AWS provider files under transit gateways."""

from typing import Any

from localcloud.provider.call import Call
from localcloud.provider.errors import WaitError
from localcloud.provider.resource import Args, Resource, State
from localcloud.provider.rules import identifier
from localcloud.provider.schema import TAGS, boolean, text, texts
from localcloud.provider.shape import from_aws, to_aws
from localcloud.provider.tags import from_pairs, retag_ec2, specification

PLACE = {
    "subnetId": text(identifier("subnet"), required=True, replace=True),
    "preserveClientIp": boolean(computed=True, replace=True),
    "securityGroupIds": texts(identifier("sg"), computed=True, replace=True, unordered=True),
    "ipAddressType": text(computed=True, replace=True),
}
FACTS = {
    "arn": text(aws="InstanceConnectEndpointArn"),
    "availabilityZone": text(),
    "dnsName": text(),
    "fipsDnsName": text(),
    "networkInterfaceIds": texts(),
    "ownerId": text(),
    "vpcId": text(),
}


class InstanceConnectEndpoint(Resource):
    token = "aws:ec2transitgateway/instanceConnectEndpoint:InstanceConnectEndpoint"
    inputs = {**PLACE, **TAGS}
    outputs = tuple(FACTS)

    def create(self, call: Call, args: Args) -> str:
        made = call.client("ec2").create_instance_connect_endpoint(
            TagSpecifications=specification("instance-connect-endpoint", args["tagsAll"]), **to_aws(PLACE, args)
        )
        return str(made["InstanceConnectEndpoint"]["InstanceConnectEndpointId"])

    def configure(self, call: Call, id: str, args: Args) -> None:
        def complete() -> bool | None:
            endpoint = self._look(call, id) or {}
            call.progress(endpoint.get("State", "unknown"))
            if endpoint.get("State") == "create-failed":
                raise WaitError(f"the endpoint failed: {endpoint.get('StateMessage')}")
            return endpoint.get("State") == "create-complete" or None

        call.wait(complete, "the Instance Connect Endpoint to be made", 600)

    def _look(self, call: Call, id: str) -> dict[str, Any] | None:
        answer = call.client("ec2").describe_instance_connect_endpoints(InstanceConnectEndpointIds=[id])
        found = answer["InstanceConnectEndpoints"]
        return found[0] if found and found[0]["State"] != "delete-complete" else None

    def read(self, call: Call, id: str, state: State) -> dict[str, Any] | None:
        found = self._look(call, id)
        return found and {**from_aws({**PLACE, **FACTS}, found), "tagsAll": from_pairs(found.get("Tags"))}

    def update(self, call: Call, id: str, old: State, new: Args, changed: frozenset[str]) -> None:
        retag_ec2(call.client("ec2"), id, old.get("tagsAll"), new["tagsAll"])

    def delete(self, call: Call, id: str, state: State) -> None:
        call.client("ec2").delete_instance_connect_endpoint(InstanceConnectEndpointId=id)
        call.wait_gone(lambda: self._look(call, id), "the Instance Connect Endpoint", 600)


RESOURCES = (InstanceConnectEndpoint,)

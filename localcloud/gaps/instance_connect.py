"""EC2 Instance Connect Endpoints: the records of them. The local cloud needs no tunnel to reach a machine.

Moto has none of the three operations.
Fixed when `create_instance_connect_endpoint` answers an id.
"""

import secrets
from datetime import UTC, datetime
from typing import Any

from moto.core.responses import ActionResult
from moto.ec2.exceptions import EC2ClientError
from moto.ec2.responses import EC2Response

from localcloud.gaps.patch import add


def _endpoints(backend: Any) -> dict[str, dict[str, Any]]:
    if not hasattr(backend, "instance_connect_endpoints"):
        backend.instance_connect_endpoints = {}
    return backend.instance_connect_endpoints  # type: ignore[no-any-return]


def create_instance_connect_endpoint(self: Any) -> Any:
    backend = self.ec2_backend
    subnet = backend.get_subnet(self._get_param("SubnetId"))
    groups = self._get_param("SecurityGroupIds", []) or [backend.get_default_security_group(subnet.vpc_id).id]
    taken = [each["VpcId"] for each in _endpoints(backend).values()]
    if subnet.vpc_id in taken:
        raise EC2ClientError(
            "InstanceConnectEndpointLimitExceeded", f"The limit of 1 endpoint for VPC {subnet.vpc_id} is reached."
        )
    endpoint_id = f"eice-{secrets.token_hex(8)}{secrets.token_hex(1)[0]}"
    eni = backend.create_network_interface(
        subnet, None, group_ids=groups, description=f"EC2 Instance Connect Endpoint {endpoint_id}"
    )
    eni.status = "in-use"
    tags = self._parse_tag_specification().get("instance-connect-endpoint", {})
    preserve = self._get_bool_param("PreserveClientIp", False)
    endpoint = {
        "InstanceConnectEndpointId": endpoint_id,
        "InstanceConnectEndpointArn": (
            f"arn:aws:ec2:{backend.region_name}:{backend.account_id}:instance-connect-endpoint/{endpoint_id}"
        ),
        "OwnerId": backend.account_id,
        "State": "create-complete",
        "StateMessage": "",
        "DnsName": f"{endpoint_id}.ec2-instance-connect-endpoint.{backend.region_name}.amazonaws.com",
        "NetworkInterfaceIds": [eni.id],
        "VpcId": subnet.vpc_id,
        "AvailabilityZone": subnet.availability_zone,
        "CreatedAt": datetime.now(UTC),
        "SubnetId": subnet.id,
        "PreserveClientIp": preserve,
        "SecurityGroupIds": list(groups),
        "Tags": [{"Key": key, "Value": value} for key, value in tags.items()],
    }
    _endpoints(backend)[endpoint_id] = endpoint
    return ActionResult({"InstanceConnectEndpoint": endpoint})


def describe_instance_connect_endpoints(self: Any) -> Any:
    endpoints = _endpoints(self.ec2_backend)
    ids = self._get_param("InstanceConnectEndpointIds", [])
    for endpoint_id in ids:
        _existing(endpoints, endpoint_id)
    found = [endpoint for endpoint_id, endpoint in endpoints.items() if not ids or endpoint_id in ids]
    names = {"subnet-id": "SubnetId", "vpc-id": "VpcId", "state": "State"}
    for name, values in self._filters_from_querystring().items():
        if name in names:
            found = [endpoint for endpoint in found if endpoint[names[name]] in values]
    return ActionResult({"InstanceConnectEndpoints": found})


def delete_instance_connect_endpoint(self: Any) -> Any:
    endpoints = _endpoints(self.ec2_backend)
    endpoint = _existing(endpoints, self._get_param("InstanceConnectEndpointId"))
    del endpoints[endpoint["InstanceConnectEndpointId"]]
    for eni_id in endpoint["NetworkInterfaceIds"]:
        self.ec2_backend.delete_network_interface(eni_id)
    return ActionResult({"InstanceConnectEndpoint": endpoint | {"State": "delete-complete"}})


def _existing(endpoints: dict[str, dict[str, Any]], endpoint_id: str) -> dict[str, Any]:
    if endpoint_id not in endpoints:
        raise EC2ClientError(
            "InvalidInstanceConnectEndpointId.NotFound", f"The endpoint '{endpoint_id}' does not exist"
        )
    return endpoints[endpoint_id]


def install() -> None:
    add(
        EC2Response,
        create_instance_connect_endpoint,
        describe_instance_connect_endpoints,
        delete_instance_connect_endpoint,
    )

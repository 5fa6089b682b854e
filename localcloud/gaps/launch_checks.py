"""What EC2 refuses before it launches anything, and moto does not look at.

Fixed when moto's RunInstances refuses an x86_64 image on an arm64 type, a tag key with "/" under instance
metadata tags, and security groups of another VPC than the subnet's.
"""

import re
from typing import Any

from moto.ec2.exceptions import EC2ClientError
from moto.ec2.models.instance_types import INSTANCE_TYPES
from moto.ec2.utils import convert_tag_spec

Parameters = dict[str, Any]
USER_DATA_BYTES = 16384
METADATA_TAG_KEY = re.compile(r"[0-9A-Za-z\-_+=,.@:]{1,255}")
METADATA_RESERVED = {".", "..", "_index"}


def check(backend: Any, parameters: Parameters) -> None:
    """Raises what EC2 answers to a launch that cannot be. `parameters` already hold the template's."""
    if not parameters.get("ImageId"):
        raise EC2ClientError("MissingParameter", "The request must contain the parameter ImageId")
    images = backend.describe_images(ami_ids=[parameters["ImageId"]])
    _type(parameters, images[0].architecture)
    _combination(parameters)
    _groups(backend, parameters)
    _metadata_tags(parameters)
    encoded = str(parameters.get("UserData") or "")
    if len(encoded) * 3 // 4 > USER_DATA_BYTES + 2:
        raise EC2ClientError("InvalidParameterValue", f"User data is limited to {USER_DATA_BYTES} bytes")


def _type(parameters: Parameters, architecture: str) -> None:
    wanted = parameters.setdefault("InstanceType", "m1.small")
    known = INSTANCE_TYPES.get(wanted)
    if known is None:
        raise EC2ClientError("InvalidParameterValue", f"Invalid value '{wanted}' for InstanceType.")
    supported = known["ProcessorInfo"]["SupportedArchitectures"]
    if architecture not in supported:
        raise EC2ClientError(
            "InvalidParameterValue",
            f"The architecture '{','.join(supported)}' of the specified instance type does not match "
            f"the architecture '{architecture}' of the specified AMI. Specify an instance type and an AMI "
            "that have matching architectures, and try again.",
        )


def _combination(parameters: Parameters) -> None:
    if not parameters.get("NetworkInterfaces"):
        return
    for name in ("SecurityGroupIds", "SecurityGroups", "SubnetId"):
        if parameters.get(name):
            raise EC2ClientError(
                "InvalidParameterCombination",
                "Network interfaces and an instance-level subnet ID or security groups "
                "may not be specified on the same request",
            )


def _groups(backend: Any, parameters: Parameters) -> None:
    interfaces = parameters.get("NetworkInterfaces") or [{}]
    subnet_id = parameters.get("SubnetId") or interfaces[0].get("SubnetId")
    wanted = [*parameters.get("SecurityGroupIds", []), *(interfaces[0].get("Groups") or [])]
    for group_id in wanted:
        group = backend.get_security_group_from_id(group_id)
        if group is None:
            raise EC2ClientError("InvalidGroup.NotFound", f"The security group '{group_id}' does not exist")
        if subnet_id and group.vpc_id != backend.get_subnet(subnet_id).vpc_id:
            raise EC2ClientError(
                "InvalidParameter",
                f"Security group {group_id} and subnet {subnet_id} belong to different networks.",
            )


def _metadata_tags(parameters: Parameters) -> None:
    if parameters.get("MetadataOptions", {}).get("InstanceMetadataTags") != "enabled":
        return
    for key in convert_tag_spec(parameters.get("TagSpecifications", [])).get("instance", {}):
        if key.startswith("aws:"):
            continue
        if not METADATA_TAG_KEY.fullmatch(key) or key in METADATA_RESERVED:
            raise EC2ClientError(
                "InvalidParameterValue",
                f"'{key}' is not a valid tag key. Tag keys must match pattern "
                "([0-9a-zA-Z\\-_+=,.@:]{1,255}), and must not be a reserved name ('.', '..', '_index')",
            )

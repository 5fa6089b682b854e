"""The functions (invokes) that the program calls: questions to the API."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from localcloud.provider.call import Call
from localcloud.provider.errors import ProviderError
from localcloud.provider.schema import REGION, Fields, blocks, boolean, text, texts
from localcloud.provider.tags import from_pairs


@dataclass(frozen=True, kw_only=True)
class Function:
    """`run` gets the checked arguments and answers the result's properties, `id` included where the SDK has one."""

    token: str
    inputs: Fields
    run: Callable[[Call, Mapping[str, Any]], dict[str, Any]]


def get_caller_identity(call: Call, _args: Mapping[str, Any]) -> dict[str, Any]:
    who = call.client("sts").get_caller_identity()
    return {"accountId": who["Account"], "arn": who["Arn"], "userId": who["UserId"], "id": who["Account"]}


def get_region(call: Call, _args: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "id": call.region,
        "name": call.region,
        "region": call.region,
        "description": call.region,
        "endpoint": f"ec2.{call.region}.amazonaws.com",
    }


def get_ami(call: Call, args: Mapping[str, Any]) -> dict[str, Any]:
    """The one image that fits; of several the newest, but only when the program asks for that."""
    given = {"Owners": args.get("owners"), "ExecutableUsers": args.get("executableUsers")}
    filters = [{"Name": each["name"], "Values": each["values"]} for each in args.get("filters") or []]
    found = call.client("ec2").describe_images(
        Filters=filters,
        IncludeDeprecated=bool(args.get("includeDeprecated")),
        **{key: value for key, value in given.items() if value},
    )["Images"]
    if not found:
        raise ProviderError(f"no image fits {filters}", hint="is it an image of this region, and not deregistered?")
    if len(found) > 1 and not args.get("mostRecent"):
        raise ProviderError(f"{len(found)} images fit {filters}", hint="narrow the filters, or set mostRecent")
    image = max(found, key=lambda each: str(each["CreationDate"]))
    return {
        **{
            name: args.get(name) for name in ("owners", "executableUsers", "filters", "includeDeprecated", "mostRecent")
        },
        "id": image["ImageId"],
        "imageId": image["ImageId"],
        "arn": f"arn:aws:ec2:{call.region}::image/{image['ImageId']}",
        "name": image.get("Name", ""),
        "description": image.get("Description", ""),
        "architecture": image["Architecture"],
        "creationDate": str(image["CreationDate"]),
        "ownerId": image.get("OwnerId", ""),
        "rootDeviceName": image.get("RootDeviceName", ""),
        "rootDeviceType": image.get("RootDeviceType", ""),
        "virtualizationType": image.get("VirtualizationType", ""),
        "state": image.get("State", ""),
        "tags": from_pairs(image.get("Tags")),
    }


def get_instance_type(call: Call, args: Mapping[str, Any]) -> dict[str, Any]:
    kind = args["instanceType"]
    found = call.client("ec2").describe_instance_types(InstanceTypes=[kind])["InstanceTypes"]
    if not found:
        raise ProviderError(f"there is no instance type {kind}", hint="see `aws ec2 describe-instance-types`")
    about = found[0]
    return {
        "id": kind,
        "instanceType": kind,
        "supportedArchitectures": about["ProcessorInfo"]["SupportedArchitectures"],
        "defaultVcpus": about["VCpuInfo"]["DefaultVCpus"],
        "memorySize": about["MemoryInfo"]["SizeInMiB"],
        "burstablePerformanceSupported": bool(about.get("BurstablePerformanceSupported")),
        "hypervisor": about.get("Hypervisor", ""),
        "currentGeneration": bool(about.get("CurrentGeneration")),
    }


AMI_INPUTS: Fields = {
    **REGION,
    "filters": blocks({"name": text(required=True), "values": texts(required=True)}),
    "owners": texts(),
    "executableUsers": texts(),
    "includeDeprecated": boolean(),
    "mostRecent": boolean(),
}

FUNCTIONS: tuple[Function, ...] = (
    Function(token="aws:ec2/getAmi:getAmi", inputs=AMI_INPUTS, run=get_ami),
    Function(
        token="aws:ec2/getInstanceType:getInstanceType",
        inputs={**REGION, "instanceType": text(required=True)},
        run=get_instance_type,
    ),
    Function(token="aws:index/getCallerIdentity:getCallerIdentity", inputs={}, run=get_caller_identity),
    Function(token="aws:index/getRegion:getRegion", inputs=REGION, run=get_region),
)

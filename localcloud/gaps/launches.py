"""RunInstances with the launch template in full, and with EC2's refusals.

Moto copies user data, type, image, key and group ids from a template; metadata options, instance profile, network
interfaces, block devices and the tags of volumes and interfaces are lost, and every instance gets an extra unencrypted
8 GB disk. Here the template is merged into the request first, so both ways of launching are one.
Fixed when an instance launched from a template with `HttpTokens: required` says so in DescribeInstances.
"""

from copy import deepcopy
from typing import Any

from moto.core.responses import ActionResult
from moto.core.types import Base64EncodedString
from moto.ec2.responses.instances import InstanceResponse
from moto.ec2.utils import convert_tag_spec, filter_iam_instance_profiles, parse_user_data

from localcloud.gaps import launch_checks
from localcloud.gaps.launch_templates import resolve
from localcloud.gaps.patch import AnyFunction, replace

Parameters = dict[str, Any]
ROOT_GIB = 8


def launch(backend: Any, request: Parameters) -> Any:
    """RunInstances as one call: `request` has the API's own shape, and the reservation is moto's."""
    parameters = with_template(backend, request)
    launch_checks.check(backend, parameters)
    tags = convert_tag_spec(parameters.get("TagSpecifications", []))
    reservation = backend.run_instances(
        parameters["ImageId"],
        int(parameters.get("MaxCount") or parameters.get("MinCount") or 1),
        _user_data(parameters.get("UserData")),
        parameters.get("SecurityGroups", []),
        **_arguments(backend, parameters),
    )
    for instance in reservation.instances:
        _finish(backend, instance, parameters, tags)
    return reservation


def with_template(backend: Any, request: Parameters) -> Parameters:
    """The request over its template: what both give, the request decides; tags of both are kept."""
    request = dict(request)
    if not request.get("LaunchTemplate"):
        return request
    version = resolve(backend, request["LaunchTemplate"])
    request["LaunchTemplate"] = {"LaunchTemplateId": version.template.id, "Version": str(version.number)}
    merged = deepcopy({key: value for key, value in version.data.items() if value not in (None, "", [], {})})
    merged |= {key: value for key, value in request.items() if key != "TagSpecifications"}
    tags = convert_tag_spec(version.data.get("TagSpecifications", []))
    for kind, given in convert_tag_spec(request.get("TagSpecifications", [])).items():
        tags[kind] = tags.get(kind, {}) | given
    merged["TagSpecifications"] = [
        {"ResourceType": kind, "Tags": [{"Key": key, "Value": value} for key, value in given.items()]}
        for kind, given in tags.items()
    ]
    if merged.get("NetworkInterfaces") and request.get("SubnetId"):
        merged["NetworkInterfaces"][0]["SubnetId"] = merged.pop("SubnetId")
    return merged


def _user_data(given: Any) -> Any:
    return given if isinstance(given, Base64EncodedString) else parse_user_data(given)


def _arguments(backend: Any, parameters: Parameters) -> Parameters:
    """What moto's own `run_instances` takes. Volumes are left to `_finish`, hence the empty mapping."""
    profile = parameters.get("IamInstanceProfile", {})
    interfaces = deepcopy(parameters.get("NetworkInterfaces", []))
    if profile:
        filter_iam_instance_profiles(backend.account_id, backend.partition, profile.get("Arn"), profile.get("Name"))
    return {
        "instance_type": parameters["InstanceType"],
        "is_instance_type_default": False,
        "placement": parameters.get("Placement", {}).get("AvailabilityZone"),
        "region_name": backend.region_name,
        "subnet_id": parameters.get("SubnetId"),
        "key_name": parameters.get("KeyName"),
        "security_group_ids": list(parameters.get("SecurityGroupIds", [])) + _groups(interfaces),
        "nics": [{key: value for key, value in nic.items() if key != "Groups"} for nic in interfaces],
        "private_ip": parameters.get("PrivateIpAddress"),
        "associate_public_ip": parameters.get("AssociatePublicIpAddress"),
        "tags": {},
        "ebs_optimized": parameters.get("EbsOptimized") or False,
        "disable_api_stop": parameters.get("DisableApiStop") or False,
        "disable_api_termination": parameters.get("DisableApiTermination") or False,
        "instance_initiated_shutdown_behavior": parameters.get("InstanceInitiatedShutdownBehavior"),
        "launch_template": parameters.get("LaunchTemplate", {}),
        "monitoring_state": "enabled" if parameters.get("Monitoring", {}).get("Enabled") else "disabled",
        "metadata_options": dict(parameters.get("MetadataOptions", {})),
        "client_token": parameters.get("ClientToken"),
        "block_device_mappings": [],
    }


def _groups(interfaces: list[Parameters]) -> list[str]:
    return [group for nic in interfaces[:1] for group in nic.get("Groups") or []]


def _finish(backend: Any, instance: Any, parameters: Parameters, tags: dict[str, dict[str, str]]) -> None:
    instance.add_tags(tags.get("instance", {}))
    if profile := parameters.get("IamInstanceProfile"):
        backend.associate_iam_instance_profile(
            instance.id,
            iam_instance_profile_name=profile.get("Name"),
            iam_instance_profile_arn=profile.get("Arn"),
        )
    for interface in instance.nics.values():
        if interface.device_index == 0:
            interface.delete_on_termination = True
        interface.add_tags(tags.get("network-interface", {}))
    instance.cpu_credits = parameters.get("CreditSpecification", {}).get("CpuCredits")
    for mapping in _devices(instance, parameters.get("BlockDeviceMappings", [])):
        volume = _attach(backend, instance, mapping)
        volume.add_tags(tags.get("volume", {}))


def _devices(instance: Any, mappings: list[Parameters]) -> list[Parameters]:
    """The image's root device, unless a mapping of that very name changes it, and what else was asked for."""
    root = instance.root_device_name
    given = {mapping["DeviceName"]: mapping for mapping in mappings if "NoDevice" not in mapping}
    own = dict(given.pop(root, {}).get("Ebs", {}))
    devices = [{"DeviceName": root, "Ebs": {"VolumeSize": ROOT_GIB, "DeleteOnTermination": True} | own}]
    return devices + [mapping for mapping in given.values() if "Ebs" in mapping]


def _attach(backend: Any, instance: Any, mapping: Parameters) -> Any:
    disk = mapping["Ebs"]
    volume = backend.create_volume(
        size=int(disk["VolumeSize"]) if disk.get("VolumeSize") else None,
        zone_name=instance.placement.zone,
        snapshot_id=disk.get("SnapshotId"),
        encrypted=bool(disk.get("Encrypted")),
        kms_key_id=disk.get("KmsKeyId"),
        volume_type=disk.get("VolumeType") or "gp3",
        iops=int(disk["Iops"]) if disk.get("Iops") else None,
        throughput=int(disk["Throughput"]) if disk.get("Throughput") else None,
    )
    backend.attach_volume(volume.id, instance.id, mapping["DeviceName"], bool(disk.get("DeleteOnTermination")))
    return volume


def _run_instances(_original: AnyFunction, self: Any) -> Any:
    self.error_on_dryrun()
    return ActionResult(launch(self.ec2_backend, dict(self.params)))


def install() -> None:
    replace(InstanceResponse, "run_instances", _run_instances)

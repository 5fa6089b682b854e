"""Launch templates: every change of what machines are made from is a new numbered version."""

import base64
import binascii
from collections.abc import Iterable
from typing import Any

from localcloud.provider.call import Call
from localcloud.provider.resource import Args, Resource, State
from localcloud.provider.rules import between, identifier, length, matches, one_of
from localcloud.provider.schema import (
    TAGS,
    Autoname,
    Fields,
    block,
    blocks,
    boolean,
    flag,
    integer,
    mapping,
    text,
    texts,
)
from localcloud.provider.shape import from_aws, to_aws
from localcloud.provider.tags import from_pairs, pairs, retag_ec2, specification

USER_DATA_BYTES = 16384


def _user_data(value: str) -> str | None:
    try:
        size = len(base64.b64decode(value, validate=True))
    except binascii.Error:
        return "user data must be base64"
    return None if size <= USER_DATA_BYTES else f"user data has {size} bytes, EC2 allows {USER_DATA_BYTES}"


EBS = {
    "deleteOnTermination": flag(computed=True),
    "encrypted": flag(computed=True),
    "iops": integer(computed=True),
    "kmsKeyId": text(),
    "snapshotId": text(),
    "throughput": integer(between(125, 2000), computed=True),
    "volumeSize": integer(between(1, 65536), computed=True),
    "volumeType": text(one_of("standard", "gp2", "gp3", "io1", "io2", "sc1", "st1"), computed=True),
}
INTERFACE = {
    "associatePublicIpAddress": flag(),
    "deleteOnTermination": flag(),
    "description": text(),
    "deviceIndex": integer(),
    "interfaceType": text(),
    "networkCardIndex": integer(),
    "networkInterfaceId": text(identifier("eni")),
    "privateIpAddress": text(),
    "securityGroups": texts(identifier("sg"), unordered=True, aws="Groups"),
    "subnetId": text(identifier("subnet")),
}
METADATA = {
    "httpEndpoint": text(one_of("enabled", "disabled"), computed=True),
    "httpProtocolIpv6": text(one_of("enabled", "disabled"), computed=True),
    "httpPutResponseHopLimit": integer(between(1, 64), computed=True),
    "httpTokens": text(one_of("optional", "required"), computed=True),
    "instanceMetadataTags": text(one_of("enabled", "disabled"), computed=True),
}
DATA: Fields = {
    "blockDeviceMappings": blocks({"deviceName": text(), "ebs": block(EBS), "noDevice": text(), "virtualName": text()}),
    "creditSpecification": block({"cpuCredits": text(one_of("standard", "unlimited"))}),
    "disableApiStop": boolean(),
    "disableApiTermination": boolean(),
    "ebsOptimized": flag(),
    "iamInstanceProfile": block({"arn": text(), "name": text()}),
    "imageId": text(identifier("ami")),
    "instanceInitiatedShutdownBehavior": text(one_of("stop", "terminate")),
    "instanceType": text(matches(r"[a-z0-9-]+\.[a-z0-9-]+", "look like t3.medium")),
    "keyName": text(),
    "maintenanceOptions": block({"autoRecovery": text(one_of("default", "disabled"))}),
    "metadataOptions": block(METADATA, computed=True),
    "monitoring": block({"enabled": boolean()}),
    "networkInterfaces": blocks(INTERFACE),
    "placement": block({"availabilityZone": text(), "groupName": text(), "tenancy": text()}),
    "privateDnsNameOptions": block(
        {
            "enableResourceNameDnsARecord": boolean(),
            "enableResourceNameDnsAaaaRecord": boolean(aws="EnableResourceNameDnsAAAARecord"),
            "hostnameType": text(one_of("ip-name", "resource-name")),
        }
    ),
    "userData": text(_user_data),
    "vpcSecurityGroupIds": texts(identifier("sg"), unordered=True, aws="SecurityGroupIds"),
}
TAGGED = blocks({"resourceType": text(), "tags": mapping()})


class LaunchTemplate(Resource):
    token = "aws:ec2/launchTemplate:LaunchTemplate"
    inputs = {
        "name": text(
            length(3, 128),
            matches(r"[\w().\-/]+", "consist of letters, digits and ().-/_"),
            replace=True,
            computed=True,
            autoname=Autoname(),
        ),
        "description": text(length(0, 255)),
        "defaultVersion": integer(computed=True),
        "updateDefaultVersion": boolean(local=True),
        "tagSpecifications": TAGGED,
        **DATA,
        **TAGS,
    }
    outputs = ("arn", "latestVersion")

    def unsettled(self, changed: frozenset[str]) -> Iterable[str]:
        return ("latestVersion", "defaultVersion") if changed & _VERSIONED else ()

    def check(self, args: Args) -> Iterable[tuple[str, str]]:
        if args.get("networkInterfaces") and args.get("vpcSecurityGroupIds"):
            yield "vpcSecurityGroupIds", "groups belong to networkInterfaces when these are given; EC2 refuses both"
        if args.get("updateDefaultVersion") and args.get("defaultVersion") is not None:
            yield "defaultVersion", "conflicts with updateDefaultVersion"
        for index, each in enumerate(args.get("tagSpecifications") or []):
            with_metadata = (args.get("metadataOptions") or {}).get("instanceMetadataTags") == "enabled"
            for key in each.get("tags") or {}:
                if with_metadata and each.get("resourceType") == "instance" and ("/" in key or " " in key):
                    path = f'tagSpecifications[{index}].tags["{key}"]'
                    yield (
                        path,
                        "with instanceMetadataTags enabled, '/' or a space in a key makes every launch fail",
                    )

    def create(self, call: Call, args: Args) -> str:
        made = call.client("ec2").create_launch_template(
            LaunchTemplateName=args["name"],
            LaunchTemplateData=_data(args),
            TagSpecifications=specification("launch-template", args["tagsAll"]),
            **({"VersionDescription": args["description"]} if args.get("description") else {}),
        )
        return str(made["LaunchTemplate"]["LaunchTemplateId"])

    def read(self, call: Call, id: str, state: State) -> dict[str, Any] | None:
        client = call.client("ec2")
        template = client.describe_launch_templates(LaunchTemplateIds=[id])["LaunchTemplates"][0]
        newest = str(template["LatestVersionNumber"])
        version = client.describe_launch_template_versions(LaunchTemplateId=id, Versions=[newest])[
            "LaunchTemplateVersions"
        ][0]
        data = version["LaunchTemplateData"]
        return {
            **from_aws(DATA, data),
            "arn": f"arn:aws:ec2:{call.region}:{call.account}:launch-template/{id}",
            "name": template["LaunchTemplateName"],
            "description": version.get("VersionDescription"),
            "defaultVersion": template["DefaultVersionNumber"],
            "latestVersion": template["LatestVersionNumber"],
            "tagSpecifications": [
                {"resourceType": each.get("ResourceType"), "tags": from_pairs(each.get("Tags"))}
                for each in data.get("TagSpecifications") or []
            ],
            "tagsAll": from_pairs(template.get("Tags")),
        }

    def update(self, call: Call, id: str, old: State, new: Args, changed: frozenset[str]) -> None:
        client = call.client("ec2")
        default = new.get("defaultVersion") if "defaultVersion" in changed else None
        if changed & _VERSIONED:
            made = client.create_launch_template_version(
                LaunchTemplateId=id,
                LaunchTemplateData=_data(new),
                **({"VersionDescription": new["description"]} if new.get("description") else {}),
            )
            if new.get("updateDefaultVersion"):
                default = made["LaunchTemplateVersion"]["VersionNumber"]
        elif new.get("updateDefaultVersion") and old.get("defaultVersion") != old.get("latestVersion"):
            default = old["latestVersion"]
        if default is not None:
            client.modify_launch_template(LaunchTemplateId=id, DefaultVersion=str(default))
        retag_ec2(client, id, old.get("tagsAll"), new["tagsAll"])

    def delete(self, call: Call, id: str, state: State) -> None:
        call.client("ec2").delete_launch_template(LaunchTemplateId=id)


_VERSIONED = frozenset(DATA) | {"description", "tagSpecifications"}


def _data(args: Args) -> dict[str, Any]:
    data = to_aws(DATA, args)
    tagged = [
        {"ResourceType": each["resourceType"], "Tags": pairs(each.get("tags"))}
        for each in args.get("tagSpecifications") or []
    ]
    return data | ({"TagSpecifications": tagged} if tagged else {})

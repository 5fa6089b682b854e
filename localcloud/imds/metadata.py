"""The metadata tree of one instance, as nested dictionaries: a pure function of the API's record.

cloud-init 22.4 decides its network from `network/interfaces/macs/<mac>` and stalls for seconds on a listing that is
missing, so what EC2 always has is here even when nothing in Slipway reads it.
"""

import json
from collections.abc import Callable, Mapping
from ipaddress import IPv4Network
from typing import TypeAlias

from localcloud.model import Instance

VERSIONS = ("1.0", "2009-04-04", "2016-09-02", "2018-09-24", "2020-10-27", "2021-03-23", "latest")

# A leaf is text, or a call that makes it: credentials are asked for when they are read, not at every look.
Leaf: TypeAlias = str | Callable[[], str]
Tree: TypeAlias = Mapping[str, "Leaf | Tree"]


def tree(instance: Instance, credentials: Callable[[], Mapping[str, str]]) -> Tree:
    """Everything below a version: `meta-data` and `dynamic`. User data is bytes, and not here."""
    return {"dynamic": _dynamic(instance), "meta-data": _metadata(instance, credentials)}


def find(root: Tree, path: str) -> str | None:
    """The text at `path` (`meta-data/placement/region`): a value or a folder's listing, None when there is none."""
    node: Leaf | Tree = root
    for part in filter(None, path.split("/")):
        if not isinstance(node, Mapping) or part not in node:
            return None
        node = node[part]
    if isinstance(node, Mapping):
        return listing(node)
    return node() if callable(node) else node


def listing(node: Tree) -> str:
    """A folder as EC2 lists it: names by line, folders with a slash, key pairs as `0=name`."""
    return "\n".join(_entry(name, node[name]) for name in sorted(node))


def _entry(name: str, child: Leaf | Tree) -> str:
    if isinstance(child, KeyPair):
        return f"{name}={child.name}"
    return f"{name}/" if isinstance(child, Mapping) else name


class KeyPair(dict[str, Leaf | Tree]):
    """The folder of one key pair, which its parent lists with its name."""

    def __init__(self, name: str, public_key: str) -> None:
        super().__init__({"openssh-key": public_key})
        self.name = name


def _metadata(instance: Instance, credentials: Callable[[], Mapping[str, str]]) -> Tree:
    data: dict[str, Leaf | Tree] = {
        "ami-id": instance.image_id,
        "ami-launch-index": "0",
        "ami-manifest-path": "(unknown)",
        "block-device-mapping": {"ami": "/dev/xvda", "root": "/dev/xvda"},
        "hostname": instance.private_dns,
        "instance-action": "none",
        "instance-id": instance.id,
        "instance-life-cycle": "on-demand",
        "instance-type": instance.instance_type,
        "local-hostname": instance.private_dns,
        "local-ipv4": str(instance.private_ip),
        "mac": instance.mac,
        "network": {"interfaces": {"macs": {instance.mac: _interface(instance)}}},
        "placement": {"availability-zone": instance.zone, "region": instance.region},
        "profile": "default-hvm",
        "security-groups": "\n".join(instance.security_group_ids),
        "services": {"domain": "amazonaws.com", "partition": "aws"},
    }
    if instance.key_name and instance.public_key:
        data["public-keys"] = {"0": KeyPair(instance.key_name, instance.public_key)}
    if instance.role_arn:
        data["iam"] = _iam(instance, instance.role_arn, credentials)
    if instance.instance_metadata_tags and instance.tags:
        data["tags"] = {"instance": dict(instance.tags)}
    return data


def _interface(instance: Instance) -> Tree:
    return {
        "device-number": "0",
        "local-hostname": instance.private_dns,
        "local-ipv4s": str(instance.private_ip),
        "mac": instance.mac,
        "owner-id": instance.account,
        "security-group-ids": "\n".join(instance.security_group_ids),
        "subnet-id": instance.subnet_id,
        "subnet-ipv4-cidr-block": _cidr(instance.subnet_cidr),
        "vpc-id": instance.vpc_id,
        "vpc-ipv4-cidr-block": _cidr(instance.vpc_cidr),
        "vpc-ipv4-cidr-blocks": _cidr(instance.vpc_cidr),
    }


def _iam(instance: Instance, role_arn: str, credentials: Callable[[], Mapping[str, str]]) -> Tree:
    info = {
        "Code": "Success",
        "LastUpdated": _time(instance),
        "InstanceProfileArn": instance.instance_profile_arn,
    }
    role = role_arn.rpartition("/")[2]
    return {
        "info": json.dumps(info, indent=2),
        "security-credentials": {role: lambda: json.dumps(dict(credentials()), indent=2)},
    }


def _dynamic(instance: Instance) -> Tree:
    document = {
        "accountId": instance.account,
        "architecture": "x86_64",
        "availabilityZone": instance.zone,
        "imageId": instance.image_id,
        "instanceId": instance.id,
        "instanceType": instance.instance_type,
        "pendingTime": _time(instance),
        "privateIp": str(instance.private_ip),
        "region": instance.region,
        "version": "2017-09-30",
    }
    return {"instance-identity": {"document": json.dumps(document, indent=2)}}


def _time(instance: Instance) -> str:
    return instance.launched.strftime("%Y-%m-%dT%H:%M:%SZ")


def _cidr(network: IPv4Network) -> str:
    return network.with_prefixlen

"""Instances and security groups."""

import base64
from datetime import UTC, datetime
from ipaddress import IPv4Address, IPv4Network
from typing import Any

from moto.core.exceptions import ServiceException
from moto.ec2.models.instance_types import INSTANCE_TYPES
from moto.iam.models import iam_backends

from localcloud.model import Instance, Rule, SecurityGroup

# What the managed prefix lists of AWS's own services mean here: S3 is the API's address, as nodes reach it.
SERVICE_ADDRESS = IPv4Network("169.254.169.250/32")


def instance(backend: Any, found: Any) -> Instance:
    kind = INSTANCE_TYPES[found.instance_type]
    subnet = backend.get_subnet(found.subnet_id)
    interface = found.nics[0]
    options = found.metadata_options
    key = backend.key_pairs.get(found.key_name) if found.key_name else None
    profile, role = _profile(backend, found)
    return Instance(
        id=found.id,
        state=found.state,
        image_id=found.image_id,
        instance_type=found.instance_type,
        memory_mib=int(kind["MemoryInfo"]["SizeInMiB"]),
        vcpus=int(kind["VCpuInfo"]["DefaultVCpus"]),
        private_ip=IPv4Address(found.private_ip),
        private_dns=found.private_dns_name,
        mac=interface.mac_address,
        zone=found.placement.zone,
        region=backend.region_name,
        account=backend.account_id,
        subnet_id=subnet.id,
        subnet_cidr=IPv4Network(subnet.cidr_block),
        vpc_id=subnet.vpc_id,
        vpc_cidr=IPv4Network(backend.get_vpc(subnet.vpc_id).cidr_block),
        security_group_ids=tuple(sorted({group.id for group in interface.group_set})),
        user_data=_user_data(found.user_data),
        role_arn=role,
        instance_profile_arn=profile,
        key_name=found.key_name,
        public_key=key.public_key if key else None,
        http_tokens=options.http_tokens or "optional",
        http_endpoint=options.http_endpoint or "enabled",
        hop_limit=int(options.http_put_response_hop_limit or 1),
        instance_metadata_tags=options.instance_metadata_tags == "enabled",
        tags={tag["key"]: tag["value"] for tag in found.get_tags()},
        launched=aware(found.launch_time),
        reboots=found.reboots,
    )


def aware(moment: datetime) -> datetime:
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _user_data(encoded: Any) -> bytes:
    """As bytes: user data is often compressed, and moto's own decoding takes it for text."""
    return base64.b64decode(str(encoded)) if encoded else b""


def _profile(backend: Any, found: Any) -> tuple[str | None, str | None]:
    given = found.iam_instance_profile or {}
    arn = given.get("Arn")
    if not arn:
        return None, None
    iam = iam_backends[backend.account_id]["aws"]
    try:
        profile = iam.get_instance_profile_by_arn(arn)
    except ServiceException:
        return arn, None
    return arn, profile.roles[0].arn if profile and profile.roles else None


def security_group(backend: Any, found: Any) -> SecurityGroup:
    rules = [rule for given in found.ingress_rules for rule in _rules(backend, given, "ingress")]
    rules += [rule for given in found.egress_rules for rule in _rules(backend, given, "egress")]
    return SecurityGroup(id=found.id, vpc_id=found.vpc_id, rules=tuple(rules))


def _rules(backend: Any, given: Any, direction: Any) -> list[Rule]:
    ports: dict[str, Any] = {"protocol": given.ip_protocol, "port_from": None, "port_to": None}
    if given.ip_protocol in ("tcp", "udp") and given.from_port not in (None, -1):
        ports |= {"port_from": int(given.from_port), "port_to": int(given.to_port)}
    if group := (given.source_group or {}).get("GroupId"):
        return [Rule(direction=direction, group_id=group, **ports)]
    if given.cidr_ipv4:
        return [Rule(direction=direction, cidr=IPv4Network(given.cidr_ipv4, strict=False), **ports)]
    if given.prefix_list_id:
        return [Rule(direction=direction, cidr=cidr, **ports) for cidr in _prefix_list(backend, given.prefix_list_id)]
    return []


def _prefix_list(backend: Any, list_id: str) -> list[IPv4Network]:
    found = backend.managed_prefix_lists.get(list_id)
    if found is None or found.owner_id == "AWS" or str(found.prefix_list_name).startswith("com.amazonaws."):
        return [SERVICE_ADDRESS]
    entries = found.entries.get(found.version, []) if isinstance(found.entries, dict) else found.entries
    return [IPv4Network(entry["Cidr"]) for entry in entries]

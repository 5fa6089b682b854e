"""Security group rules that keep their description, and can be modified, whatever their source is.

Moto remembers the description of a CIDR only, and modifies nothing but a CIDR, its ports and its description; a rule
for all protocols it refuses to modify, because that has no ports. AWS keeps the kind of the source.
Fixed when ModifySecurityGroupRules with a ReferencedGroupId changes the referenced group in moto.
"""

import inspect
from collections.abc import Mapping
from typing import Any

from moto.ec2.exceptions import (
    InvalidParameterValueError,
    InvalidSecurityGroupNotFoundError,
    InvalidSecurityGroupRuleIdNotFoundError,
)
from moto.ec2.models.security_groups import SecurityGroupBackend, SecurityGroupRule

from localcloud.gaps.patch import AnyFunction, replace, replace_property

SOURCES = ("CidrIpv4", "CidrIpv6", "PrefixListId", "ReferencedGroupId")


def _init(original: AnyFunction, self: Any, *args: Any, **kwargs: Any) -> None:
    original(self, *args, **kwargs)
    given = inspect.signature(original).bind(self, *args, **kwargs).arguments
    self.other_description = (given.get("prefix_list_id") or {}).get("Description")


def _description(_original: AnyFunction, self: Any) -> str | None:
    for source in (self.ip_range, self.source_group):
        if source.get("Description"):
            return str(source["Description"])
    return getattr(self, "other_description", None)


def _source_of(rule: Any) -> str:
    if rule.source_group:
        return "ReferencedGroupId"
    if rule.prefix_list_id:
        return "PrefixListId"
    return "CidrIpv6" if "CidrIpv6" in rule.ip_range else "CidrIpv4"


def _modify(_original: AnyFunction, self: Any, group_id: str, rules: Mapping[str, Mapping[str, Any]]) -> None:
    group = self.get_security_group_by_name_or_id(group_id)
    if group is None:
        raise InvalidSecurityGroupNotFoundError(group_id)
    for rule_id, wanted in rules.items():
        rule = group.get_rule(rule_id)
        if rule is None:
            raise InvalidSecurityGroupRuleIdNotFoundError(rule_id)
        _apply(rule, wanted)


def _apply(rule: Any, wanted: Mapping[str, Any]) -> None:
    given = [name for name in SOURCES if wanted.get(name) is not None]
    if given != [_source_of(rule)]:
        raise InvalidParameterValueError(f"{' and '.join(given) or 'nothing'} as the source of a rule that has another")
    everything = str(wanted.get("IpProtocol")) == "-1"
    rule.ip_protocol = wanted["IpProtocol"]
    rule.from_port = None if everything else int(wanted["FromPort"])
    rule.to_port = None if everything else int(wanted["ToPort"])
    value, note = wanted[given[0]], wanted.get("Description") or ""
    described = {"Description": note} if note else {}
    if given == ["ReferencedGroupId"]:
        kept = {key: each for key, each in rule.source_group.items() if key != "Description"}
        rule.source_group = {**kept, "GroupId": value, **described}
    elif given == ["PrefixListId"]:
        rule.prefix_list_id, rule.other_description = value, note
    else:
        rule.ip_range = {"CidrIp" if given == ["CidrIpv4"] else "CidrIpv6": value, **described}


def install() -> None:
    replace(SecurityGroupRule, "__init__", _init)
    replace_property(SecurityGroupRule, "description", _description)
    replace(SecurityGroupBackend, "modify_security_group_rules", _modify)

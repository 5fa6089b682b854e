"""Security group rules as resources of their own, each with its id."""

from collections.abc import Iterable, Mapping
from typing import Any, ClassVar

from localcloud.provider.call import Call
from localcloud.provider.resource import Args, Resource, State
from localcloud.provider.rules import between, cidr, conflicts, identifier
from localcloud.provider.schema import TAGS, integer, text
from localcloud.provider.shape import from_aws, to_aws
from localcloud.provider.tags import from_pairs, retag_ec2, specification
from localcloud.provider.types.ec2.security import DESCRIPTION
from localcloud.provider.values import UNKNOWN

SOURCES = {
    "cidrIpv4": text(cidr()),
    "cidrIpv6": text(),
    "prefixListId": text(identifier("pl")),
    "referencedSecurityGroupId": text(identifier("sg"), aws="ReferencedGroupId"),
}
RULE = {
    "ipProtocol": text(required=True),
    "fromPort": integer(between(-1, 65535)),
    "toPort": integer(between(-1, 65535)),
    "description": text(DESCRIPTION),
    **SOURCES,
}


class SecurityGroupRule(Resource):
    inputs = {"securityGroupId": text(identifier("sg"), required=True, replace=True), **RULE, **TAGS}
    outputs = ("arn", "securityGroupRuleId")
    egress: ClassVar[bool]

    def check(self, args: Args) -> Iterable[tuple[str, str]]:
        if not any(args.get(name) is not None for name in SOURCES):
            yield "cidrIpv4", f"a rule needs one of {', '.join(SOURCES)}"
        yield from conflicts(dict(args), SOURCES)
        ends: list[Any] = [args.get(name) for name in ("fromPort", "toPort")]
        if args["ipProtocol"] == "-1":
            for name in ("fromPort", "toPort"):
                if args.get(name) is not None and args[name] is not UNKNOWN and args[name] != -1:
                    yield name, "a rule for all protocols (-1) has no ports"
        elif None in ends and args["ipProtocol"] in ("tcp", "udp", "6", "17"):
            yield "fromPort", f"{args['ipProtocol']} needs fromPort and toPort"
        elif UNKNOWN not in ends and None not in ends and args["ipProtocol"] in ("tcp", "udp") and ends[0] > ends[1]:
            yield "toPort", f"{ends[1]} is below fromPort {ends[0]}"

    def replaces(self, old: State, new: Args) -> Iterable[str]:
        """EC2 modifies a rule's source only within its kind."""
        return [name for name in SOURCES if (old.get(name) is None) != (new.get(name) is None)]

    def create(self, call: Call, args: Args) -> str:
        client = call.client("ec2")
        authorize = client.authorize_security_group_egress if self.egress else client.authorize_security_group_ingress
        made = authorize(
            GroupId=args["securityGroupId"],
            IpPermissions=[_permission(args)],
            TagSpecifications=specification("security-group-rule", args["tagsAll"]),
        )
        return str(made["SecurityGroupRules"][0]["SecurityGroupRuleId"])

    def read(self, call: Call, id: str, state: State) -> dict[str, Any] | None:
        found = call.client("ec2").describe_security_group_rules(SecurityGroupRuleIds=[id])["SecurityGroupRules"]
        if not found or bool(found[0]["IsEgress"]) != self.egress:
            return None
        rule = dict(found[0])
        rule["ReferencedGroupId"] = (rule.get("ReferencedGroupInfo") or {}).get("GroupId")
        if rule["IpProtocol"] == "-1":
            rule["FromPort"] = rule["ToPort"] = None
        return {
            **from_aws(RULE, rule),
            "securityGroupId": rule["GroupId"],
            "securityGroupRuleId": id,
            "arn": f"arn:aws:ec2:{call.region}:{call.account}:security-group-rule/{id}",
            "tagsAll": from_pairs(rule.get("Tags")),
        }

    def update(self, call: Call, id: str, old: State, new: Args, changed: frozenset[str]) -> None:
        client = call.client("ec2")
        if changed & RULE.keys():
            rule = {"SecurityGroupRuleId": id, "SecurityGroupRule": to_aws(RULE, new)}
            client.modify_security_group_rules(GroupId=new["securityGroupId"], SecurityGroupRules=[rule])
        retag_ec2(client, id, old.get("tagsAll"), new["tagsAll"])

    def delete(self, call: Call, id: str, state: State) -> None:
        client = call.client("ec2")
        revoke = client.revoke_security_group_egress if self.egress else client.revoke_security_group_ingress
        revoke(GroupId=state["securityGroupId"], SecurityGroupRuleIds=[id])


def _permission(args: Mapping[str, Any]) -> dict[str, Any]:
    note = {"Description": args["description"]} if args.get("description") else {}
    permission = to_aws({name: RULE[name] for name in ("ipProtocol", "fromPort", "toPort")}, args)
    if args.get("cidrIpv4"):
        permission["IpRanges"] = [{"CidrIp": args["cidrIpv4"], **note}]
    if args.get("cidrIpv6"):
        permission["Ipv6Ranges"] = [{"CidrIpv6": args["cidrIpv6"], **note}]
    if args.get("prefixListId"):
        permission["PrefixListIds"] = [{"PrefixListId": args["prefixListId"], **note}]
    if args.get("referencedSecurityGroupId"):
        permission["UserIdGroupPairs"] = [{"GroupId": args["referencedSecurityGroupId"], **note}]
    return permission


class SecurityGroupIngressRule(SecurityGroupRule):
    token = "aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule"
    egress = False


class SecurityGroupEgressRule(SecurityGroupRule):
    token = "aws:vpc/securityGroupEgressRule:SecurityGroupEgressRule"
    egress = True


RESOURCES = (SecurityGroupEgressRule, SecurityGroupIngressRule)

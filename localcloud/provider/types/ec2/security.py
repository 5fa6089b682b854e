"""Security groups (with or without rules of their own) and key pairs."""

from typing import Any

from localcloud.provider.call import Call
from localcloud.provider.resource import Args, Resource, State
from localcloud.provider.rules import between, cidr, identifier, length, matches
from localcloud.provider.schema import TAGS, Autoname, blocks, boolean, integer, text, texts
from localcloud.provider.tags import from_pairs, retag_ec2, specification

DESCRIPTION = matches(r"[\w .:/()#,@\[\]+=&;{}!$*-]{0,255}", "be at most 255 of a-zA-Z0-9. _-:/()#,@[]+=&;{}!$*")

RULE = {
    "protocol": text(required=True),
    "fromPort": integer(between(-1, 65535), required=True),
    "toPort": integer(between(-1, 65535), required=True),
    "cidrBlocks": texts(cidr()),
    "securityGroups": texts(unordered=True),
    "prefixListIds": texts(),
    "self": boolean(default=False),
    "description": text(DESCRIPTION),
}


class SecurityGroup(Resource):
    token = "aws:ec2/securityGroup:SecurityGroup"
    inputs = {
        "name": text(
            length(1, 255),
            matches(r"(?!sg-).*", "not begin with sg-"),
            replace=True,
            computed=True,
            autoname=Autoname(),
        ),
        "description": text(length(1, 255), DESCRIPTION, default="Managed by Pulumi", replace=True),
        "vpcId": text(identifier("vpc"), computed=True, replace=True),
        "ingress": blocks(RULE, computed=True, elsewhere=True, unordered=True),
        "egress": blocks(RULE, computed=True, elsewhere=True, unordered=True),
        "revokeRulesOnDelete": boolean(default=False, local=True),
        **TAGS,
    }
    outputs = ("arn", "ownerId")

    def create(self, call: Call, args: Args) -> str:
        place = {"VpcId": args["vpcId"]} if args.get("vpcId") else {}
        made = call.client("ec2").create_security_group(
            GroupName=args["name"],
            Description=args["description"],
            TagSpecifications=specification("security-group", args["tagsAll"]),
            **place,
        )
        return str(made["GroupId"])

    def configure(self, call: Call, id: str, args: Args) -> None:
        """The rules that were asked for. AWS's default egress rule is removed, as the real provider does."""
        for direction in ("ingress", "egress"):
            wanted = args.get(direction) or []
            if direction == "egress" or wanted:
                self._align(call, id, direction, wanted)

    def _align(self, call: Call, id: str, direction: str, wanted: list[dict[str, Any]]) -> None:
        client = call.client("ec2")
        group = client.describe_security_groups(GroupIds=[id])["SecurityGroups"][0]
        have = {_key(rule): rule for each in _permissions(group, direction) for rule in _atoms(each)}
        want = {_key(rule): rule for block in wanted for rule in _atoms(_permission(id, block))}
        surplus = [rule for key, rule in have.items() if key not in want]
        missing = [rule for key, rule in want.items() if key not in have]
        if surplus:
            getattr(client, f"revoke_security_group_{direction}")(GroupId=id, IpPermissions=surplus)
        if missing:
            getattr(client, f"authorize_security_group_{direction}")(GroupId=id, IpPermissions=missing)

    def read(self, call: Call, id: str, state: State) -> dict[str, Any] | None:
        group = call.client("ec2").describe_security_groups(GroupIds=[id])["SecurityGroups"][0]
        return {
            "arn": f"arn:aws:ec2:{call.region}:{group['OwnerId']}:security-group/{id}",
            "ownerId": group["OwnerId"],
            "name": group["GroupName"],
            "description": group["Description"],
            "vpcId": group.get("VpcId"),
            "ingress": [_block(id, each) for each in _permissions(group, "ingress")],
            "egress": [_block(id, each) for each in _permissions(group, "egress")],
            "tagsAll": from_pairs(group.get("Tags")),
        }

    def update(self, call: Call, id: str, old: State, new: Args, changed: frozenset[str]) -> None:
        for direction in ("ingress", "egress"):
            if direction in changed:
                self._align(call, id, direction, new.get(direction) or [])
        retag_ec2(call.client("ec2"), id, old.get("tagsAll"), new["tagsAll"])

    def delete(self, call: Call, id: str, state: State) -> None:
        client = call.client("ec2")
        if state.get("revokeRulesOnDelete"):
            self._align(call, id, "ingress", [])
            self._align(call, id, "egress", [])
        busy = ("DependencyViolation", "InvalidGroup.InUse")
        call.retry(lambda: client.delete_security_group(GroupId=id), busy, "the group is in use", 900)
        call.wait_gone(lambda: client.describe_security_groups(GroupIds=[id])["SecurityGroups"], "the group", 60)


def _permissions(group: dict[str, Any], direction: str) -> list[dict[str, Any]]:
    return list(group["IpPermissions" if direction == "ingress" else "IpPermissionsEgress"])


def _permission(id: str, block: dict[str, Any]) -> dict[str, Any]:
    """A block of the program as EC2's IpPermission."""
    protocol = "-1" if block["protocol"] in ("-1", "all") else block["protocol"]
    note = {"Description": block["description"]} if block.get("description") else {}
    groups = [*(block.get("securityGroups") or []), *([id] if block.get("self") else [])]
    ports = {} if protocol == "-1" else {"FromPort": block["fromPort"], "ToPort": block["toPort"]}
    return {
        "IpProtocol": protocol,
        **ports,
        "IpRanges": [{"CidrIp": cidr, **note} for cidr in block.get("cidrBlocks") or []],
        "UserIdGroupPairs": [{"GroupId": group, **note} for group in groups],
        "PrefixListIds": [{"PrefixListId": each, **note} for each in block.get("prefixListIds") or []],
    }


def _atoms(permission: dict[str, Any]) -> list[dict[str, Any]]:
    """One permission per source, so that only what differs is revoked."""
    base: dict[str, Any] = {key: permission[key] for key in ("IpProtocol", "FromPort", "ToPort") if key in permission}
    keep: tuple[str, ...] = ("CidrIp", "GroupId", "PrefixListId", "Description")
    return [
        {**base, kind: [{key: source[key] for key in keep if source.get(key)}]}
        for kind in ("IpRanges", "UserIdGroupPairs", "PrefixListIds")
        for source in permission.get(kind) or []
    ]


def _key(atom: dict[str, Any]) -> str:
    return repr(sorted(atom.items()))


def _block(id: str, permission: dict[str, Any]) -> dict[str, Any]:
    """EC2's IpPermission as a block of the program."""
    sources = [*permission.get("IpRanges", []), *permission.get("UserIdGroupPairs", [])]
    groups = [pair["GroupId"] for pair in permission.get("UserIdGroupPairs", [])]
    block = {
        "protocol": permission["IpProtocol"],
        "fromPort": permission.get("FromPort", 0),
        "toPort": permission.get("ToPort", 0),
        "self": id in groups,
        "cidrBlocks": [each["CidrIp"] for each in permission.get("IpRanges", [])],
        "securityGroups": [group for group in groups if group != id],
        "prefixListIds": [each["PrefixListId"] for each in permission.get("PrefixListIds", [])],
        "description": next((each["Description"] for each in sources if each.get("Description")), None),
    }
    return {key: value for key, value in block.items() if value not in (None, [])}


class KeyPair(Resource):
    token = "aws:ec2/keyPair:KeyPair"
    inputs = {
        "keyName": text(length(1, 255), replace=True, computed=True, autoname=Autoname()),
        "publicKey": text(
            matches(r"(ssh-rsa|ssh-ed25519) \S+.*\s*", "be an OpenSSH public key, RSA or ED25519"),
            required=True,
            replace=True,
            local=True,
        ),
        **TAGS,
    }
    outputs = ("arn", "fingerprint", "keyPairId", "keyType")

    def create(self, call: Call, args: Args) -> str:
        call.client("ec2").import_key_pair(
            KeyName=args["keyName"],
            PublicKeyMaterial=args["publicKey"].encode(),
            TagSpecifications=specification("key-pair", args["tagsAll"]),
        )
        return str(args["keyName"])

    def read(self, call: Call, id: str, state: State) -> dict[str, Any] | None:
        pair = call.client("ec2").describe_key_pairs(KeyNames=[id])["KeyPairs"][0]
        return {
            "arn": f"arn:aws:ec2:{call.region}:{call.account}:key-pair/{id}",
            "keyName": pair["KeyName"],
            "fingerprint": pair["KeyFingerprint"],
            "keyPairId": pair.get("KeyPairId"),
            "keyType": pair.get("KeyType"),
            "tagsAll": from_pairs(pair.get("Tags")),
        }

    def update(self, call: Call, id: str, old: State, new: Args, changed: frozenset[str]) -> None:
        retag_ec2(call.client("ec2"), str(old["keyPairId"]), old.get("tagsAll"), new["tagsAll"])

    def delete(self, call: Call, id: str, state: State) -> None:
        call.client("ec2").delete_key_pair(KeyName=id)

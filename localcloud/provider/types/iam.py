"""IAM: roles, their inline policies and attachments, and the profiles that instances carry them in."""

import json
from typing import Any

from localcloud.provider.call import Call
from localcloud.provider.resource import Args, Resource, State
from localcloud.provider.rules import arn, between, length, matches
from localcloud.provider.schema import TAGS, Autoname, document, integer, text
from localcloud.provider.tags import from_pairs, pairs, retag

CHARACTERS = matches(r"[\w+=,.@-]+", "consist of letters, digits and +=,.@_-")
PATH = text(matches(r"/|/.+/", "begin and end with /"), default="/", replace=True)


def _name(longest: int) -> Any:
    return text(length(1, longest), CHARACTERS, replace=True, computed=True, autoname=Autoname())


class Role(Resource):
    token = "aws:iam/role:Role"
    regional = False
    inputs = {
        "name": _name(64),
        "path": PATH,
        "assumeRolePolicy": document(required=True),
        "description": text(length(0, 1000)),
        "maxSessionDuration": integer(between(3600, 43200), default=3600),
        **TAGS,
    }
    outputs = ("arn", "createDate", "uniqueId")

    def create(self, call: Call, args: Args) -> str:
        description = {"Description": args["description"]} if args.get("description") else {}
        call.client("iam").create_role(
            RoleName=args["name"],
            Path=args["path"],
            AssumeRolePolicyDocument=args["assumeRolePolicy"],
            MaxSessionDuration=args["maxSessionDuration"],
            Tags=pairs(args["tagsAll"]),
            **description,
        )
        return str(args["name"])

    def read(self, call: Call, id: str, state: State) -> dict[str, Any] | None:
        role = call.client("iam").get_role(RoleName=id)["Role"]
        return {
            "arn": role["Arn"],
            "uniqueId": role["RoleId"],
            "createDate": str(role["CreateDate"]),
            "name": role["RoleName"],
            "path": role["Path"],
            "assumeRolePolicy": json.dumps(role["AssumeRolePolicyDocument"]),
            "description": role.get("Description"),
            "maxSessionDuration": role.get("MaxSessionDuration", 3600),
            "tagsAll": from_pairs(role.get("Tags")),
        }

    def update(self, call: Call, id: str, old: State, new: Args, changed: frozenset[str]) -> None:
        client = call.client("iam")
        if "assumeRolePolicy" in changed:
            client.update_assume_role_policy(RoleName=id, PolicyDocument=new["assumeRolePolicy"])
        if changed & {"description", "maxSessionDuration"}:
            client.update_role(
                RoleName=id,
                Description=new.get("description") or "",
                MaxSessionDuration=new["maxSessionDuration"],
            )
        retag(
            old,
            new,
            lambda keys: client.untag_role(RoleName=id, TagKeys=keys),
            lambda tags: client.tag_role(RoleName=id, Tags=tags),
        )

    def delete(self, call: Call, id: str, state: State) -> None:
        """A role still in a profile or with policies is refused; both are resources of their own and go first."""
        client = call.client("iam")
        call.retry(lambda: client.delete_role(RoleName=id), ("DeleteConflict",), "the role is in use", 60)


class RolePolicy(Resource):
    """The id is `role:name`, as in the real provider."""

    token = "aws:iam/rolePolicy:RolePolicy"
    regional = False
    inputs = {
        "name": _name(128),
        "role": text(required=True, replace=True),
        "policy": document(required=True),
    }

    def create(self, call: Call, args: Args) -> str:
        self._put(call, args)
        return f"{args['role']}:{args['name']}"

    def read(self, call: Call, id: str, state: State) -> dict[str, Any] | None:
        role, name = id.split(":", 1)
        found = call.client("iam").get_role_policy(RoleName=role, PolicyName=name)
        return {"name": name, "role": role, "policy": json.dumps(found["PolicyDocument"])}

    def update(self, call: Call, id: str, old: State, new: Args, changed: frozenset[str]) -> None:
        self._put(call, new)

    def _put(self, call: Call, args: Args) -> None:
        call.client("iam").put_role_policy(
            RoleName=args["role"], PolicyName=args["name"], PolicyDocument=args["policy"]
        )

    def delete(self, call: Call, id: str, state: State) -> None:
        role, name = id.split(":", 1)
        call.client("iam").delete_role_policy(RoleName=role, PolicyName=name)


class RolePolicyAttachment(Resource):
    """The id is `role/policy ARN`, as an import names it."""

    token = "aws:iam/rolePolicyAttachment:RolePolicyAttachment"
    regional = False
    inputs = {
        "role": text(required=True, replace=True),
        "policyArn": text(arn("iam"), required=True, replace=True),
    }

    def create(self, call: Call, args: Args) -> str:
        call.client("iam").attach_role_policy(RoleName=args["role"], PolicyArn=args["policyArn"])
        return f"{args['role']}/{args['policyArn']}"

    def read(self, call: Call, id: str, state: State) -> dict[str, Any] | None:
        role, policy = id.split("/", 1)
        pages = call.client("iam").get_paginator("list_attached_role_policies").paginate(RoleName=role)
        attached = {each["PolicyArn"] for page in pages for each in page["AttachedPolicies"]}
        return {"role": role, "policyArn": policy} if policy in attached else None

    def delete(self, call: Call, id: str, state: State) -> None:
        role, policy = id.split("/", 1)
        call.client("iam").detach_role_policy(RoleName=role, PolicyArn=policy)


class InstanceProfile(Resource):
    token = "aws:iam/instanceProfile:InstanceProfile"
    regional = False
    inputs = {"name": _name(128), "path": PATH, "role": text(), **TAGS}
    outputs = ("arn", "createDate", "uniqueId")

    def create(self, call: Call, args: Args) -> str:
        call.client("iam").create_instance_profile(
            InstanceProfileName=args["name"], Path=args["path"], Tags=pairs(args["tagsAll"])
        )
        return str(args["name"])

    def configure(self, call: Call, id: str, args: Args) -> None:
        """A profile holds one role at the most: another one has to leave first."""
        client = call.client("iam")
        held = [role["RoleName"] for role in _profile(call, id)["Roles"]]
        for role in held:
            if role != args.get("role"):
                client.remove_role_from_instance_profile(InstanceProfileName=id, RoleName=role)
        if args.get("role") and args["role"] not in held:
            client.add_role_to_instance_profile(InstanceProfileName=id, RoleName=args["role"])

    def read(self, call: Call, id: str, state: State) -> dict[str, Any] | None:
        profile = _profile(call, id)
        return {
            "arn": profile["Arn"],
            "uniqueId": profile["InstanceProfileId"],
            "createDate": str(profile["CreateDate"]),
            "name": profile["InstanceProfileName"],
            "path": profile["Path"],
            "role": next((role["RoleName"] for role in profile["Roles"]), None),
            "tagsAll": from_pairs(profile.get("Tags")),
        }

    def update(self, call: Call, id: str, old: State, new: Args, changed: frozenset[str]) -> None:
        client = call.client("iam")
        self.configure(call, id, new)
        retag(
            old,
            new,
            lambda keys: client.untag_instance_profile(InstanceProfileName=id, TagKeys=keys),
            lambda tags: client.tag_instance_profile(InstanceProfileName=id, Tags=tags),
        )

    def delete(self, call: Call, id: str, state: State) -> None:
        client = call.client("iam")
        for role in _profile(call, id)["Roles"]:
            client.remove_role_from_instance_profile(InstanceProfileName=id, RoleName=role["RoleName"])
        client.delete_instance_profile(InstanceProfileName=id)


def _profile(call: Call, id: str) -> dict[str, Any]:
    return dict(call.client("iam").get_instance_profile(InstanceProfileName=id)["InstanceProfile"])


RESOURCES = (InstanceProfile, Role, RolePolicy, RolePolicyAttachment)

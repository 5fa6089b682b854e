"""Secrets Manager: secrets. Their values are made on nodes and never pass through the program."""

from collections.abc import Iterable
from typing import Any

from localcloud.provider.call import Call
from localcloud.provider.resource import Args, Resource, State
from localcloud.provider.rules import length, matches
from localcloud.provider.schema import TAGS, Autoname, integer, text
from localcloud.provider.tags import from_pairs, pairs, retag


class Secret(Resource):
    """The id is the ARN, which ends in six characters of AWS's own."""

    token = "aws:secretsmanager/secret:Secret"
    inputs = {
        "name": text(
            length(1, 512),
            matches(r"[\w/+=.@-]+", "consist of letters, digits and /_+=.@-"),
            replace=True,
            computed=True,
            autoname=Autoname(),
        ),
        "description": text(length(0, 2048)),
        "kmsKeyId": text(),
        "recoveryWindowInDays": integer(default=30, local=True),
        **TAGS,
    }
    outputs = ("arn",)

    def check(self, args: Args) -> Iterable[tuple[str, str]]:
        days = args["recoveryWindowInDays"]
        if isinstance(days, int) and days != 0 and not 7 <= days <= 30:
            yield "recoveryWindowInDays", f"{days} is neither 0 nor between 7 and 30"

    def create(self, call: Call, args: Args) -> str:
        optional = {"Description": args.get("description"), "KmsKeyId": args.get("kmsKeyId")}
        made = call.client("secretsmanager").create_secret(
            Name=args["name"],
            Tags=pairs(args["tagsAll"]),
            **{key: value for key, value in optional.items() if value},
        )
        return str(made["ARN"])

    def read(self, call: Call, id: str, state: State) -> dict[str, Any] | None:
        """A secret that waits for its deletion is gone for the program."""
        secret = call.client("secretsmanager").describe_secret(SecretId=id)
        if secret.get("DeletedDate"):
            return None
        return {
            "id": secret["ARN"],
            "arn": secret["ARN"],
            "name": secret["Name"],
            "description": secret.get("Description"),
            "kmsKeyId": secret.get("KmsKeyId"),
            "tagsAll": from_pairs(secret.get("Tags")),
        }

    def update(self, call: Call, id: str, old: State, new: Args, changed: frozenset[str]) -> None:
        client = call.client("secretsmanager")
        if changed & {"description", "kmsKeyId"}:
            key = {"KmsKeyId": new["kmsKeyId"]} if new.get("kmsKeyId") else {}
            client.update_secret(SecretId=id, Description=new.get("description") or "", **key)
        retag(
            old,
            new,
            lambda keys: client.untag_resource(SecretId=id, TagKeys=keys),
            lambda tags: client.tag_resource(SecretId=id, Tags=tags),
        )

    def delete(self, call: Call, id: str, state: State) -> None:
        days = state.get("recoveryWindowInDays", 30)
        how: dict[str, Any] = {"RecoveryWindowInDays": days} if days else {"ForceDeleteWithoutRecovery": True}
        call.client("secretsmanager").delete_secret(SecretId=id, **how)


RESOURCES = (Secret,)

"""A bucket's settings. Each is put whole and has the bucket's name as its id; deleting one restores S3's default."""

import json
from typing import Any, ClassVar

from localcloud.provider.call import Call
from localcloud.provider.resource import Args, Resource, State
from localcloud.provider.rules import one_of
from localcloud.provider.schema import block, blocks, boolean, document, text

BUCKET = text(required=True, replace=True)


class Setting(Resource):
    """What all settings share: `put` makes it so, and creating is no different from updating."""

    def put(self, call: Call, args: Args) -> None:
        raise NotImplementedError

    def create(self, call: Call, args: Args) -> str:
        self.put(call, args)
        return str(args["bucket"])

    def update(self, call: Call, id: str, old: State, new: Args, changed: frozenset[str]) -> None:
        self.put(call, new)


class BucketVersioning(Setting):
    token = "aws:s3/bucketVersioning:BucketVersioning"
    inputs = {
        "bucket": BUCKET,
        "versioningConfiguration": block(
            {"status": text(one_of("Enabled", "Suspended", "Disabled"), required=True)}, required=True
        ),
    }

    def put(self, call: Call, args: Args) -> None:
        status = args["versioningConfiguration"]["status"]
        if status != "Disabled":
            call.client("s3").put_bucket_versioning(Bucket=args["bucket"], VersioningConfiguration={"Status": status})

    def read(self, call: Call, id: str, state: State) -> dict[str, Any] | None:
        status = call.client("s3").get_bucket_versioning(Bucket=id).get("Status", "Disabled")
        return {"bucket": id, "versioningConfiguration": {"status": status}}

    def delete(self, call: Call, id: str, state: State) -> None:
        """A bucket that ever kept versions cannot forget it, only suspend it."""
        call.client("s3").put_bucket_versioning(Bucket=id, VersioningConfiguration={"Status": "Suspended"})


class BucketServerSideEncryptionConfiguration(Setting):
    token = "aws:s3/bucketServerSideEncryptionConfiguration:BucketServerSideEncryptionConfiguration"
    inputs = {
        "bucket": BUCKET,
        "rules": blocks(
            {
                "applyServerSideEncryptionByDefault": block(
                    {
                        "sseAlgorithm": text(one_of("AES256", "aws:kms", "aws:kms:dsse"), required=True),
                        "kmsMasterKeyId": text(),
                    }
                ),
                "bucketKeyEnabled": boolean(),
            },
            required=True,
            unordered=True,
        ),
    }

    def put(self, call: Call, args: Args) -> None:
        call.client("s3").put_bucket_encryption(
            Bucket=args["bucket"],
            ServerSideEncryptionConfiguration={"Rules": [_encryption(rule) for rule in args["rules"]]},
        )

    def read(self, call: Call, id: str, state: State) -> dict[str, Any] | None:
        found = call.client("s3").get_bucket_encryption(Bucket=id)["ServerSideEncryptionConfiguration"]["Rules"]
        return {"bucket": id, "rules": [_encryption_rule(rule) for rule in found]}

    def delete(self, call: Call, id: str, state: State) -> None:
        call.client("s3").delete_bucket_encryption(Bucket=id)


def _encryption(rule: dict[str, Any]) -> dict[str, Any]:
    wanted = rule.get("applyServerSideEncryptionByDefault")
    default = {"SSEAlgorithm": wanted["sseAlgorithm"]} if wanted else {}
    if wanted and wanted.get("kmsMasterKeyId"):
        default["KMSMasterKeyID"] = wanted["kmsMasterKeyId"]
    return {
        **({"ApplyServerSideEncryptionByDefault": default} if default else {}),
        "BucketKeyEnabled": bool(rule.get("bucketKeyEnabled")),
    }


def _encryption_rule(rule: dict[str, Any]) -> dict[str, Any]:
    default = rule.get("ApplyServerSideEncryptionByDefault") or {}
    key = {"kmsMasterKeyId": default["KMSMasterKeyID"]} if default.get("KMSMasterKeyID") else {}
    return {
        **({"applyServerSideEncryptionByDefault": {"sseAlgorithm": default["SSEAlgorithm"], **key}} if default else {}),
        "bucketKeyEnabled": bool(rule.get("BucketKeyEnabled")),
    }


class BucketPublicAccessBlock(Setting):
    token = "aws:s3/bucketPublicAccessBlock:BucketPublicAccessBlock"
    names: ClassVar[dict[str, str]] = {
        "blockPublicAcls": "BlockPublicAcls",
        "blockPublicPolicy": "BlockPublicPolicy",
        "ignorePublicAcls": "IgnorePublicAcls",
        "restrictPublicBuckets": "RestrictPublicBuckets",
    }
    inputs = {"bucket": BUCKET, **{name: boolean(default=False) for name in names}}

    def put(self, call: Call, args: Args) -> None:
        call.client("s3").put_public_access_block(
            Bucket=args["bucket"],
            PublicAccessBlockConfiguration={key: bool(args[name]) for name, key in self.names.items()},
        )

    def read(self, call: Call, id: str, state: State) -> dict[str, Any] | None:
        found = call.client("s3").get_public_access_block(Bucket=id)["PublicAccessBlockConfiguration"]
        return {"bucket": id, **{name: bool(found.get(key)) for name, key in self.names.items()}}

    def delete(self, call: Call, id: str, state: State) -> None:
        call.client("s3").delete_public_access_block(Bucket=id)


class BucketOwnershipControls(Setting):
    token = "aws:s3/bucketOwnershipControls:BucketOwnershipControls"
    inputs = {
        "bucket": BUCKET,
        "rule": block(
            {
                "objectOwnership": text(
                    one_of("BucketOwnerPreferred", "ObjectWriter", "BucketOwnerEnforced"), required=True
                )
            },
            required=True,
        ),
    }

    def put(self, call: Call, args: Args) -> None:
        rule = {"ObjectOwnership": args["rule"]["objectOwnership"]}
        call.client("s3").put_bucket_ownership_controls(Bucket=args["bucket"], OwnershipControls={"Rules": [rule]})

    def read(self, call: Call, id: str, state: State) -> dict[str, Any] | None:
        found = call.client("s3").get_bucket_ownership_controls(Bucket=id)["OwnershipControls"]["Rules"]
        return {"bucket": id, "rule": {"objectOwnership": found[0]["ObjectOwnership"]}}

    def delete(self, call: Call, id: str, state: State) -> None:
        call.client("s3").delete_bucket_ownership_controls(Bucket=id)


class BucketPolicy(Setting):
    token = "aws:s3/bucketPolicy:BucketPolicy"
    inputs = {"bucket": BUCKET, "policy": document(required=True)}

    def put(self, call: Call, args: Args) -> None:
        call.client("s3").put_bucket_policy(Bucket=args["bucket"], Policy=args["policy"])

    def read(self, call: Call, id: str, state: State) -> dict[str, Any] | None:
        policy = call.client("s3").get_bucket_policy(Bucket=id)["Policy"]
        return {"bucket": id, "policy": json.dumps(json.loads(policy))}

    def delete(self, call: Call, id: str, state: State) -> None:
        call.client("s3").delete_bucket_policy(Bucket=id)

"""The bucket itself, and how it is emptied when the program says so."""

from collections.abc import Iterator
from itertools import islice
from typing import Any

from botocore.exceptions import ClientError

from localcloud.provider.call import Call
from localcloud.provider.errors import WaitError, code
from localcloud.provider.resource import Args, Resource, State
from localcloud.provider.rules import length, matches
from localcloud.provider.schema import TAGS, Autoname, boolean, text
from localcloud.provider.tags import from_pairs, pairs

NAME = (
    length(3, 63),
    matches(r"[a-z0-9][a-z0-9.-]+[a-z0-9]", "consist of a-z, 0-9, . and -, and begin and end with a letter or digit"),
    matches(r"(?!xn--|sthree-)(?!.*(\.\.|-s3alias$|\d+\.\d+\.\d+\.\d+$)).*", "be a name that S3 does not reserve"),
)
FIRST_REGION = "us-east-1"
DELETE_BATCH = 1000


class Bucket(Resource):
    """The id is the bucket's name."""

    token = "aws:s3/bucket:Bucket"
    inputs = {
        "bucket": text(*NAME, replace=True, computed=True, autoname=Autoname(lower=True)),
        "forceDestroy": boolean(default=False, local=True),
        **TAGS,
    }
    outputs = ("arn", "bucketDomainName", "bucketRegionalDomainName", "hostedZoneId", "bucketRegion")

    def create(self, call: Call, args: Args) -> str:
        place = {} if call.region == FIRST_REGION else {"LocationConstraint": call.region}
        configuration = {"CreateBucketConfiguration": place} if place else {}
        call.client("s3").create_bucket(Bucket=args["bucket"], **configuration)
        return str(args["bucket"])

    def configure(self, call: Call, id: str, args: Args) -> None:
        if args["tagsAll"]:
            call.client("s3").put_bucket_tagging(Bucket=id, Tagging={"TagSet": pairs(args["tagsAll"])})

    def read(self, call: Call, id: str, state: State) -> dict[str, Any] | None:
        client = call.client("s3")
        client.head_bucket(Bucket=id)
        return {
            "arn": f"arn:aws:s3:::{id}",
            "bucket": id,
            "bucketDomainName": f"{id}.s3.amazonaws.com",
            "bucketRegionalDomainName": f"{id}.s3.{call.region}.amazonaws.com",
            "bucketRegion": call.region,
            "hostedZoneId": "Z3AQBSTGFYJSTF",
            "tagsAll": _tags(client, id),
        }

    def update(self, call: Call, id: str, old: State, new: Args, changed: frozenset[str]) -> None:
        if "tagsAll" not in changed:
            return
        if new["tagsAll"]:
            self.configure(call, id, new)
        else:
            call.client("s3").delete_bucket_tagging(Bucket=id)

    def delete(self, call: Call, id: str, state: State) -> None:
        """S3 refuses to delete a bucket that holds anything, and so does this unless `forceDestroy` is set."""
        if state.get("forceDestroy"):
            empty(call, id)
        call.client("s3").delete_bucket(Bucket=id)


def _tags(client: Any, id: str) -> dict[str, str]:
    try:
        return from_pairs(client.get_bucket_tagging(Bucket=id)["TagSet"])
    except ClientError as error:
        if code(error) == "NoSuchTagSet":
            return {}
        raise


def empty(call: Call, id: str) -> None:
    """Deletes every version and delete marker. Raises WaitError that names what S3 would not let go."""
    client = call.client("s3")
    found = _versions(client, id)
    removed = 0
    refused: list[str] = []
    while batch := list(islice(found, DELETE_BATCH)):
        answer = client.delete_objects(Bucket=id, Delete={"Objects": batch, "Quiet": True})
        refused += [f"{each['Key']} ({each['Code']})" for each in answer.get("Errors", [])]
        removed += len(batch)
        call.progress(f"emptying the bucket: {removed} objects")
    if refused:
        raise WaitError(f"bucket {id} still holds {len(refused)} objects, among them {', '.join(refused[:5])}")


def _versions(client: Any, id: str) -> Iterator[dict[str, str]]:
    for page in client.get_paginator("list_object_versions").paginate(Bucket=id):
        for each in (*page.get("Versions", []), *page.get("DeleteMarkers", [])):
            yield {"Key": each["Key"], "VersionId": each["VersionId"]}

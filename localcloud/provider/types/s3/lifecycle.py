"""What S3 removes by itself, and when."""

from typing import Any

from localcloud.provider.call import Call
from localcloud.provider.resource import Args, State
from localcloud.provider.rules import between, length, one_of
from localcloud.provider.schema import block, blocks, boolean, integer, text
from localcloud.provider.types.s3.settings import BUCKET, Setting

DAYS = between(1, 2**31 - 1)


class BucketLifecycleConfiguration(Setting):
    token = "aws:s3/bucketLifecycleConfiguration:BucketLifecycleConfiguration"
    inputs = {
        "bucket": BUCKET,
        "rules": blocks(
            {
                "id": text(length(1, 255), required=True),
                "status": text(one_of("Enabled", "Disabled"), required=True),
                "filter": block({"prefix": text()}),
                "abortIncompleteMultipartUpload": block({"daysAfterInitiation": integer(DAYS)}),
                "expiration": block(
                    {"days": integer(), "expiredObjectDeleteMarker": boolean()},
                ),
                "noncurrentVersionExpiration": block(
                    {"noncurrentDays": integer(DAYS, required=True), "newerNoncurrentVersions": integer()}
                ),
            },
            required=True,
        ),
    }

    def put(self, call: Call, args: Args) -> None:
        call.client("s3").put_bucket_lifecycle_configuration(
            Bucket=args["bucket"], LifecycleConfiguration={"Rules": [_rule(rule) for rule in args["rules"]]}
        )

    def read(self, call: Call, id: str, state: State) -> dict[str, Any] | None:
        found = call.client("s3").get_bucket_lifecycle_configuration(Bucket=id)["Rules"]
        by_id = {rule["ID"]: _block(rule) for rule in found}
        order = [rule["id"] for rule in state.get("rules") or [] if rule["id"] in by_id]
        rest = [name for name in by_id if name not in order]
        return {"bucket": id, "rules": [by_id[name] for name in (*order, *rest)]}

    def delete(self, call: Call, id: str, state: State) -> None:
        call.client("s3").delete_bucket_lifecycle(Bucket=id)


def _rule(rule: dict[str, Any]) -> dict[str, Any]:
    """A rule of the program as S3's; an absent filter means the whole bucket."""
    answer: dict[str, Any] = {
        "ID": rule["id"],
        "Status": rule["status"],
        "Filter": {"Prefix": (rule.get("filter") or {}).get("prefix") or ""},
    }
    if abort := rule.get("abortIncompleteMultipartUpload"):
        answer["AbortIncompleteMultipartUpload"] = {"DaysAfterInitiation": abort["daysAfterInitiation"]}
    if expiration := rule.get("expiration"):
        names = {"days": "Days", "expiredObjectDeleteMarker": "ExpiredObjectDeleteMarker"}
        answer["Expiration"] = {key: expiration[name] for name, key in names.items() if expiration.get(name)}
    if noncurrent := rule.get("noncurrentVersionExpiration"):
        names = {"noncurrentDays": "NoncurrentDays", "newerNoncurrentVersions": "NewerNoncurrentVersions"}
        answer["NoncurrentVersionExpiration"] = {
            key: noncurrent[name] for name, key in names.items() if noncurrent.get(name)
        }
    return answer


def _block(rule: dict[str, Any]) -> dict[str, Any]:
    """S3's rule as the program's."""
    answer: dict[str, Any] = {"id": rule["ID"], "status": rule["Status"]}
    prefix = (rule.get("Filter") or {}).get("Prefix") or rule.get("Prefix")
    if prefix:
        answer["filter"] = {"prefix": prefix}
    if abort := rule.get("AbortIncompleteMultipartUpload"):
        answer["abortIncompleteMultipartUpload"] = {"daysAfterInitiation": int(abort["DaysAfterInitiation"])}
    if expiration := rule.get("Expiration"):
        answer["expiration"] = {
            **({"days": int(expiration["Days"])} if expiration.get("Days") else {}),
            **({"expiredObjectDeleteMarker": True} if expiration.get("ExpiredObjectDeleteMarker") else {}),
        }
    if noncurrent := rule.get("NoncurrentVersionExpiration"):
        answer["noncurrentVersionExpiration"] = {
            "noncurrentDays": int(noncurrent["NoncurrentDays"]),
            **(
                {"newerNoncurrentVersions": int(noncurrent["NewerNoncurrentVersions"])}
                if noncurrent.get("NewerNoncurrentVersions")
                else {}
            ),
        }
    return answer

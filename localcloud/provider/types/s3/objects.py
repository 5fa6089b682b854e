"""Objects: what the program uploads itself (the first releases and the first deployment)."""

import base64
from collections.abc import Iterable
from typing import Any
from urllib.parse import urlencode

from localcloud.provider.call import Call
from localcloud.provider.resource import Args, Resource, State
from localcloud.provider.rules import conflicts, length
from localcloud.provider.schema import TAGS, asset, boolean, mapping, text
from localcloud.provider.tags import from_pairs, pairs
from localcloud.provider.values import Asset

BODIES = ("source", "content", "contentBase64")


class BucketObjectv2(Resource):
    """The id is the key. S3 does not say what a body was made from, so bodies are compared by the program's word."""

    token = "aws:s3/bucketObjectv2:BucketObjectv2"
    inputs = {
        "bucket": text(required=True, replace=True),
        "key": text(length(1, 1024), computed=True, replace=True),
        "source": asset(local=True),
        "content": text(local=True),
        "contentBase64": text(local=True),
        "sourceHash": text(local=True),
        "contentType": text(computed=True),
        "contentEncoding": text(),
        "cacheControl": text(),
        "etag": text(computed=True),
        "metadata": mapping(),
        "forceDestroy": boolean(default=False, local=True),
        **TAGS,
    }
    outputs = ("arn", "versionId")
    volatile = ("versionId", "etag")

    def check(self, args: Args) -> Iterable[tuple[str, str]]:
        yield from conflicts(dict(args), BODIES)
        if args.get("key") is None:
            yield "key", "an object needs a key"

    def create(self, call: Call, args: Args) -> str:
        self._put(call, args)
        return str(args["key"])

    def _put(self, call: Call, args: Args) -> None:
        """boto3 splits what is large into parts and sends them side by side."""
        names = {"contentType": "ContentType", "contentEncoding": "ContentEncoding", "cacheControl": "CacheControl"}
        extra: dict[str, Any] = {key: args[name] for name, key in names.items() if args.get(name)}
        if args.get("metadata"):
            extra["Metadata"] = dict(args["metadata"])
        if args["tagsAll"]:
            extra["Tagging"] = urlencode(args["tagsAll"])
        client, place = call.client("s3"), {"Bucket": args["bucket"], "Key": args["key"]}
        source = args.get("source")
        if isinstance(source, Asset) and source.path:
            call.progress(f"uploading {source.path}")
            client.upload_file(source.path, **place, ExtraArgs=extra)
        else:
            client.put_object(**place, Body=_body(args), **extra)

    def read(self, call: Call, id: str, state: State) -> dict[str, Any] | None:
        bucket, key = state.get("bucket"), state.get("key") or id
        if bucket is None:
            bucket, key = id.split("/", 1)
        client = call.client("s3")
        head = client.head_object(Bucket=bucket, Key=key)
        tags = client.get_object_tagging(Bucket=bucket, Key=key)["TagSet"]
        return {
            "id": key,
            "arn": f"arn:aws:s3:::{bucket}/{key}",
            "bucket": bucket,
            "key": key,
            "etag": head["ETag"].strip('"'),
            "versionId": head.get("VersionId"),
            "contentType": head.get("ContentType"),
            "contentEncoding": head.get("ContentEncoding"),
            "cacheControl": head.get("CacheControl"),
            "metadata": head.get("Metadata") or {},
            "tagsAll": from_pairs(tags),
        }

    def update(self, call: Call, id: str, old: State, new: Args, changed: frozenset[str]) -> None:
        if changed - {"tags", "tagsAll", "forceDestroy"}:
            self._put(call, new)
        elif changed & {"tags", "tagsAll"}:
            call.client("s3").put_object_tagging(
                Bucket=new["bucket"], Key=new["key"], Tagging={"TagSet": pairs(new["tagsAll"])}
            )

    def delete(self, call: Call, id: str, state: State) -> None:
        """All versions go, as the real provider does it."""
        client, bucket, key = call.client("s3"), state["bucket"], state["key"]
        for page in client.get_paginator("list_object_versions").paginate(Bucket=bucket, Prefix=key):
            for each in (*page.get("Versions", []), *page.get("DeleteMarkers", [])):
                if each["Key"] == key:
                    client.delete_object(Bucket=bucket, Key=key, VersionId=each["VersionId"])


def _body(args: Args) -> bytes:
    source = args.get("source")
    if isinstance(source, Asset):
        return (source.text or "").encode()
    if args.get("contentBase64"):
        return base64.b64decode(args["contentBase64"])
    return str(args.get("content") or "").encode()

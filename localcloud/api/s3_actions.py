"""Which IAM actions an S3 request needs, from its method, path and query: S3 puts no operation's name in a request.

https://docs.aws.amazon.com/AmazonS3/latest/userguide/using-with-s3-policy-actions.html
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import unquote, urlsplit

ARN = "arn:aws:s3:::"

# Sub-resources of a bucket: query key -> (action to read, action to write). Deleting most of them is writing them.
BUCKET = {
    "accelerate": ("GetAccelerateConfiguration", "PutAccelerateConfiguration"),
    "acl": ("GetBucketAcl", "PutBucketAcl"),
    "cors": ("GetBucketCORS", "PutBucketCORS"),
    "encryption": ("GetEncryptionConfiguration", "PutEncryptionConfiguration"),
    "lifecycle": ("GetLifecycleConfiguration", "PutLifecycleConfiguration"),
    "location": ("GetBucketLocation", ""),
    "logging": ("GetBucketLogging", "PutBucketLogging"),
    "notification": ("GetBucketNotification", "PutBucketNotification"),
    "object-lock": ("GetBucketObjectLockConfiguration", "PutBucketObjectLockConfiguration"),
    "ownershipControls": ("GetBucketOwnershipControls", "PutBucketOwnershipControls"),
    "policy": ("GetBucketPolicy", "PutBucketPolicy"),
    "policyStatus": ("GetBucketPolicyStatus", ""),
    "publicAccessBlock": ("GetBucketPublicAccessBlock", "PutBucketPublicAccessBlock"),
    "replication": ("GetReplicationConfiguration", "PutReplicationConfiguration"),
    "requestPayment": ("GetBucketRequestPayment", "PutBucketRequestPayment"),
    "tagging": ("GetBucketTagging", "PutBucketTagging"),
    "uploads": ("ListBucketMultipartUploads", ""),
    "versioning": ("GetBucketVersioning", "PutBucketVersioning"),
    "versions": ("ListBucketVersions", ""),
    "website": ("GetBucketWebsite", "PutBucketWebsite"),
}
DELETES = {"policy": "DeleteBucketPolicy", "website": "DeleteBucketWebsite"}
LIST_KEYS = {"prefix": "s3:prefix", "delimiter": "s3:delimiter", "max-keys": "s3:max-keys"}


@dataclass(frozen=True)
class Permission:
    """One thing that a call needs: an IAM action, on one resource, under these condition keys."""

    action: str
    resource: str
    context: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Request:
    """`path` as it came, still percent-encoded; `query` decoded; header names in lower case."""

    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: bytes = b""


def permissions(request: Request) -> list[Permission]:
    bucket, _, key = unquote(request.path).lstrip("/").partition("/")
    if not bucket:
        return [Permission("s3:ListAllMyBuckets", "*")]
    if not key:
        return _bucket(request, bucket)
    return _object(request, f"{ARN}{bucket}/{key}")


def _bucket(request: Request, bucket: str) -> list[Permission]:
    query, arn = request.query, ARN + bucket
    if request.method == "POST" and "delete" in query:
        keys = re.findall(rb"<Key>(.*?)</Key>", request.body, re.DOTALL)
        return [Permission("s3:DeleteObject", f"{arn}/{_xml(key)}") for key in keys]
    for name, (read, write) in BUCKET.items():
        if name in query:
            action = read if request.method in ("GET", "HEAD") else write
            if request.method == "DELETE":
                action = DELETES.get(name, write)
            return [Permission(f"s3:{action}", arn, _listing(query) if name in ("versions", "uploads") else {})]
    if request.method in ("GET", "HEAD"):
        return [Permission("s3:ListBucket", arn, _listing(query))]
    return [
        Permission({"PUT": "s3:CreateBucket", "DELETE": "s3:DeleteBucket"}.get(request.method, "s3:PutObject"), arn)
    ]


def _xml(key: bytes) -> str:
    text = key.decode()
    for entity, character in (("&lt;", "<"), ("&gt;", ">"), ("&quot;", '"'), ("&apos;", "'"), ("&amp;", "&")):
        text = text.replace(entity, character)
    return text


def _listing(query: Mapping[str, str]) -> dict[str, str]:
    """A condition on `s3:prefix` sees nothing when the request names no prefix."""
    return {condition: query[name] for name, condition in LIST_KEYS.items() if name in query}


def _object(request: Request, arn: str) -> list[Permission]:
    query, method = request.query, request.method
    version = "Version" if "versionId" in query else ""
    for name, suffix in (("tagging", "Tagging"), ("acl", "Acl")):
        if name in query:
            verb = {"GET": "Get", "HEAD": "Get", "PUT": "Put", "DELETE": "Delete"}[method]
            return [Permission(f"s3:{verb}Object{version}{suffix}", arn)]
    if method in ("GET", "HEAD"):
        if "uploadId" in query:
            return [Permission("s3:ListMultipartUploadParts", arn)]
        return [Permission(f"s3:GetObject{version}", arn)]
    if method == "DELETE":
        if "uploadId" in query:
            return [Permission("s3:AbortMultipartUpload", arn)]
        return [Permission(f"s3:DeleteObject{version}", arn), *_compared(request, arn)]
    return [Permission("s3:PutObject", arn), *_also(request, arn), *_compared(request, arn)]


def _also(request: Request, arn: str) -> list[Permission]:
    """What a write reads, and the tags it sets on the way."""
    needed = []
    if source := request.headers.get("x-amz-copy-source"):
        parts = urlsplit(source)
        version = "Version" if "versionId=" in parts.query else ""
        needed.append(Permission(f"s3:GetObject{version}", ARN + unquote(parts.path).lstrip("/")))
    if request.headers.get("x-amz-tagging"):
        needed.append(Permission("s3:PutObjectTagging", arn))
    return needed


def _compared(request: Request, arn: str) -> list[Permission]:
    """`If-Match` tells whether an object has a given ETag, so it needs the permission to read it."""
    return [Permission("s3:GetObject", arn)] if request.headers.get("if-match") else []

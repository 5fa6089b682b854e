"""Which IAM permissions a request needs."""

import json

import pytest

from localcloud.api import actions, s3_actions
from localcloud.api.s3_actions import Request

ACCOUNT = "123456789012"
SCOPE = "AWS4-HMAC-SHA256 Credential=AKIAX/20260101/us-east-1/{}/aws4_request, SignedHeaders=host, Signature=0"


def s3(method: str, path: str, query: str = "", body: bytes = b"", **headers: str) -> list[str]:
    pairs = dict(part.partition("=")[::2] for part in query.split("&") if part)
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    found = s3_actions.permissions(Request(method, path, pairs, named, body))
    return [f"{each.action} {each.resource.removeprefix(s3_actions.ARN)}" for each in found]


@pytest.mark.parametrize(
    ("method", "path", "query", "needed"),
    [
        ("GET", "/", "", "s3:ListAllMyBuckets *"),
        ("GET", "/b", "list-type=2&prefix=a", "s3:ListBucket b"),
        ("HEAD", "/b/", "", "s3:ListBucket b"),
        ("PUT", "/b", "", "s3:CreateBucket b"),
        ("DELETE", "/b", "", "s3:DeleteBucket b"),
        ("GET", "/b", "versions", "s3:ListBucketVersions b"),
        ("GET", "/b", "uploads", "s3:ListBucketMultipartUploads b"),
        ("GET", "/b", "location", "s3:GetBucketLocation b"),
        ("PUT", "/b", "lifecycle", "s3:PutLifecycleConfiguration b"),
        ("DELETE", "/b", "encryption", "s3:PutEncryptionConfiguration b"),
        ("DELETE", "/b", "policy", "s3:DeleteBucketPolicy b"),
        ("GET", "/b/k%20x/y", "", "s3:GetObject b/k x/y"),
        ("HEAD", "/b/k", "", "s3:GetObject b/k"),
        ("GET", "/b/k", "versionId=1", "s3:GetObjectVersion b/k"),
        ("PUT", "/b/k", "", "s3:PutObject b/k"),
        ("PUT", "/b/k", "partNumber=1&uploadId=2", "s3:PutObject b/k"),
        ("POST", "/b/k", "uploads", "s3:PutObject b/k"),
        ("POST", "/b/k", "uploadId=2", "s3:PutObject b/k"),
        ("GET", "/b/k", "uploadId=2", "s3:ListMultipartUploadParts b/k"),
        ("DELETE", "/b/k", "uploadId=2", "s3:AbortMultipartUpload b/k"),
        ("DELETE", "/b/k", "", "s3:DeleteObject b/k"),
        ("DELETE", "/b/k", "versionId=1", "s3:DeleteObjectVersion b/k"),
        ("GET", "/b/k", "tagging", "s3:GetObjectTagging b/k"),
        ("PUT", "/b/k", "acl", "s3:PutObjectAcl b/k"),
    ],
)
def test_an_s3_request_needs(method: str, path: str, query: str, needed: str) -> None:
    assert s3(method, path, query) == [needed]


def test_a_copy_reads_its_source_and_a_tagged_write_tags() -> None:
    assert s3("PUT", "/b/k", x_amz_copy_source="/a/s%20t?versionId=1", x_amz_tagging="x=y") == [
        "s3:PutObject b/k",
        "s3:GetObjectVersion a/s t",
        "s3:PutObjectTagging b/k",
    ]


def test_a_write_that_compares_reads() -> None:
    assert s3("PUT", "/b/k", if_match='"e"') == ["s3:PutObject b/k", "s3:GetObject b/k"]
    assert s3("PUT", "/b/k", if_none_match="*") == ["s3:PutObject b/k"]


def test_deleting_many_needs_each() -> None:
    body = b"<Delete><Object><Key>a&amp;b</Key></Object><Object><Key>c</Key></Object></Delete>"
    assert s3("POST", "/b", "delete", body) == ["s3:DeleteObject b/a&b", "s3:DeleteObject b/c"]


def test_a_listing_carries_its_prefix_and_none_when_there_is_none() -> None:
    listing = s3_actions.permissions(Request("GET", "/b", {"prefix": "a/", "delimiter": "/"}, {}))[0]
    assert listing.context == {"s3:prefix": "a/", "s3:delimiter": "/"}
    assert s3_actions.permissions(Request("GET", "/b", {}, {}))[0].context == {}


def json_call(scope: str, target: str, **parameters: object) -> actions.Call:
    headers = {
        "authorization": SCOPE.format(scope),
        "x-amz-target": target,
        "content-type": "application/x-amz-json-1.1",
        "x-amz-security-token": "t",
    }
    return actions.read(Request("POST", "/", {}, headers, json.dumps(parameters).encode()), ACCOUNT)


def test_parameters_are_named_by_their_arn() -> None:
    call = json_call("ssm", "AmazonSSM.GetParameters", Names=["/slipway/local/deployment", "plain"])
    assert [(each.action, each.resource) for each in call.permissions] == [
        ("ssm:GetParameters", "arn:aws:ssm:us-east-1:123456789012:parameter/slipway/local/deployment"),
        ("ssm:GetParameters", "arn:aws:ssm:us-east-1:123456789012:parameter/plain"),
    ]
    assert (call.access_key, call.token) == ("AKIAX", "t")
    assert json_call("ssm", "AmazonSSM.DescribeParameters").permissions[0].resource == "*"


def test_query_calls_are_named_by_their_action() -> None:
    headers = {
        "authorization": SCOPE.format("autoscaling"),
        "content-type": "application/x-www-form-urlencoded; charset=utf-8",
    }
    body = b"Action=EnterStandby&AutoScalingGroupName=fleet&InstanceIds.member.1=i-0123456789abcdef0"
    call = actions.read(Request("POST", "/", {}, headers, body), ACCOUNT)
    assert call.operation == "EnterStandby"
    assert {each.resource for each in call.permissions} == {
        "arn:aws:autoscaling:us-east-1:123456789012:autoScalingGroup:*:autoScalingGroupName/fleet",
    }, "Auto Scaling knows its groups, and no instance"


def test_a_presigned_address_is_its_signers_call() -> None:
    query = {"X-Amz-Credential": "AKIAX/20260101/us-east-1/s3/aws4_request", "X-Amz-Signature": "0"}
    call = actions.read(Request("GET", "/b/k", query, {}), ACCOUNT)
    assert (call.access_key, call.operation) == ("AKIAX", "GetObject")


def test_an_unsigned_request_has_nobody_behind_it() -> None:
    assert actions.read(Request("GET", "/b/k", {}, {}), ACCOUNT).access_key == ""

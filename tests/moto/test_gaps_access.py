"""Who may do what at the API, and the record of who did."""

import json
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from contract import METRICS
from localcloud.api import calls
from tests.moto.local_api import LocalApi, local_api, refusal


@pytest.fixture(scope="module")
def record(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("record") / "calls.jsonl"


@pytest.fixture(scope="module")
def api(record: Path) -> Iterator[LocalApi]:
    with local_api(record) as running:
        yield running


@pytest.fixture(scope="module")
def bucket(api: LocalApi) -> str:
    name = api.name("bucket")
    api.s3.create_bucket(Bucket=name)
    return name


def policy(*statements: dict[str, Any]) -> dict[str, Any]:
    return {"Version": "2012-10-17", "Statement": [{"Effect": "Allow"} | statement for statement in statements]}


def code(call: Any, **arguments: Any) -> str:
    return refusal(call, **arguments)


def test_the_api_says_that_it_is_a_local_cloud(api: LocalApi) -> None:
    with urllib.request.urlopen(f"{api.endpoint}/slipway/localcloud") as answer:
        assert json.load(answer) == {"slipway": "localcloud", "checkout": "slipway-000000"}


def test_a_role_may_do_what_its_policy_says_and_no_more(api: LocalApi, bucket: str) -> None:
    arn = f"arn:aws:s3:::{bucket}"
    role = api.role(
        policy(
            {"Action": ["s3:GetObject"], "Resource": [f"{arn}/releases/*"]},
            {
                "Action": "s3:ListBucket",
                "Resource": arn,
                "Condition": {"StringLike": {"s3:prefix": ["releases/*"]}},
            },
        )
    )
    for key in ("releases/a", "models/a"):
        api.s3.put_object(Bucket=bucket, Key=key, Body=b"x")
    s3 = api.as_node("s3", role)
    assert s3.get_object(Bucket=bucket, Key="releases/a")["Body"].read() == b"x"
    assert s3.head_object(Bucket=bucket, Key="releases/a")["ContentLength"] == 1
    assert code(s3.get_object, Bucket=bucket, Key="models/a") == "AccessDenied"
    assert code(s3.put_object, Bucket=bucket, Key="releases/a", Body=b"y") == "AccessDenied"
    assert code(s3.delete_object, Bucket=bucket, Key="releases/a") == "AccessDenied"
    listed = s3.list_objects_v2(Bucket=bucket, Prefix="releases/")
    assert [each["Key"] for each in listed["Contents"]] == ["releases/a"]
    assert code(s3.list_objects_v2, Bucket=bucket) == "AccessDenied"
    assert code(s3.list_objects_v2, Bucket=bucket, Prefix="models/") == "AccessDenied"


def test_a_missing_object_is_forbidden_to_who_may_not_list(api: LocalApi, bucket: str) -> None:
    arn = f"arn:aws:s3:::{bucket}"
    reader = api.as_node("s3", api.role(policy({"Action": "s3:GetObject", "Resource": f"{arn}/*"})))
    lister = api.as_node("s3", api.role(policy({"Action": "s3:*", "Resource": [arn, f"{arn}/*"]})))
    assert code(reader.get_object, Bucket=bucket, Key="none") == "AccessDenied"
    assert code(reader.head_object, Bucket=bucket, Key="none") == "403"
    assert code(lister.get_object, Bucket=bucket, Key="none") == "NoSuchKey"
    assert code(lister.head_object, Bucket=bucket, Key="none") == "404"


def test_a_missing_object_is_not_found_where_its_key_may_be_listed(api: LocalApi, bucket: str) -> None:
    arn = f"arn:aws:s3:::{bucket}"
    below = {"StringLike": {"s3:prefix": ["rollouts/*"]}}
    role = api.role(
        policy(
            {"Action": "s3:GetObject", "Resource": f"{arn}/*"},
            {"Action": "s3:ListBucket", "Resource": arn, "Condition": below},
        )
    )
    s3 = api.as_node("s3", role)
    assert code(s3.get_object, Bucket=bucket, Key="rollouts/none") == "NoSuchKey"
    assert code(s3.head_object, Bucket=bucket, Key="rollouts/none") == "404"
    assert code(s3.get_object, Bucket=bucket, Key="models/none") == "AccessDenied"
    assert code(s3.head_bucket, Bucket=bucket) == "403"


def test_a_multipart_upload_is_put_object(api: LocalApi, bucket: str, tmp_path: Path) -> None:
    role = api.role(policy({"Action": "s3:PutObject", "Resource": f"arn:aws:s3:::{bucket}/big/*"}))
    s3 = api.as_node("s3", role)
    file = tmp_path / "big"
    file.write_bytes(b"x" * (20 << 20))
    s3.upload_file(str(file), bucket, "big/file")
    assert api.s3.head_object(Bucket=bucket, Key="big/file")["ContentLength"] == 20 << 20


def test_a_copy_needs_to_read_its_source(api: LocalApi, bucket: str) -> None:
    arn = f"arn:aws:s3:::{bucket}"
    api.s3.put_object(Bucket=bucket, Key="source/a", Body=b"x")
    s3 = api.as_node("s3", api.role(policy({"Action": "s3:PutObject", "Resource": f"{arn}/target/*"})))
    call = {"Bucket": bucket, "Key": "target/a", "CopySource": {"Bucket": bucket, "Key": "source/a"}}
    assert code(s3.copy_object, **call) == "AccessDenied"


def test_conditional_writes_hold(api: LocalApi, bucket: str) -> None:
    call = {"Bucket": bucket, "Key": "rollouts/lock.json"}
    etag = api.s3.put_object(**call, Body=b"1", IfNoneMatch="*")["ETag"]
    assert code(api.s3.put_object, **call, Body=b"2", IfNoneMatch="*") == "PreconditionFailed"
    assert (
        code(api.s3.put_object, **call, Body=b"2", IfMatch='"00000000000000000000000000000000"') == "PreconditionFailed"
    )
    api.s3.put_object(**call, Body=b"2", IfMatch=etag)


def test_an_explicit_deny_wins(api: LocalApi, bucket: str) -> None:
    arn = f"arn:aws:s3:::{bucket}/*"
    role = api.role(
        policy({"Action": "s3:*", "Resource": arn}, {"Effect": "Deny", "Action": "s3:Put*", "Resource": arn})
    )
    assert code(api.as_node("s3", role).put_object, Bucket=bucket, Key="k", Body=b"") == "AccessDenied"


def test_json_and_query_services_refuse_in_their_own_words(api: LocalApi) -> None:
    role = api.role(policy({"Action": "ssm:GetParameter", "Resource": "arn:aws:ssm:*:*:parameter/slipway/*"}))
    api.ssm.put_parameter(Name="/slipway/local/deployment", Value="1", Type="String")
    ssm = api.as_node("ssm", role)
    assert ssm.get_parameter(Name="/slipway/local/deployment")["Parameter"]["Value"] == "1"
    assert code(ssm.get_parameter, Name="/other") == "AccessDeniedException"
    assert (
        code(ssm.put_parameter, Name="/slipway/local/deployment", Value="2", Type="String") == "AccessDeniedException"
    )
    assert code(api.as_node("ec2", role).describe_instances) == "UnauthorizedOperation"
    assert code(api.as_node("autoscaling", role).describe_auto_scaling_groups) == "AccessDenied"
    identity = api.as_node("sts", role).get_caller_identity()["Arn"]
    assert identity.endswith("/i-0123456789abcdef0")
    assert ":assumed-role/" in identity


def test_a_secret_asked_for_by_name_is_held_against_its_arn(api: LocalApi) -> None:
    name = api.name("secret")
    arn = api.secretsmanager.create_secret(Name=name, SecretString="s")["ARN"]
    secrets = api.as_node(
        "secretsmanager", api.role(policy({"Action": "secretsmanager:GetSecretValue", "Resource": arn}))
    )
    assert secrets.get_secret_value(SecretId=name)["SecretString"] == "s"
    assert secrets.get_secret_value(SecretId=arn)["SecretString"] == "s"
    assert code(secrets.put_secret_value, SecretId=name, SecretString="t") == "AccessDeniedException"


def test_an_instance_is_known_by_its_tags(api: LocalApi) -> None:
    image = api.client("ec2").describe_images()["Images"][0]["ImageId"]
    ids = {stack: started(api, image, stack) for stack in ("mine", "theirs")}
    own = {"StringEquals": {"aws:ResourceTag/slipway-stack": "mine"}}
    role = api.role(
        policy({"Action": "ec2:GetConsoleOutput", "Resource": "arn:aws:ec2:*:*:instance/*", "Condition": own})
    )
    ec2 = api.as_node("ec2", role)
    assert ec2.get_console_output(InstanceId=ids["mine"])["InstanceId"] == ids["mine"]
    assert code(ec2.get_console_output, InstanceId=ids["theirs"]) == "UnauthorizedOperation"


def started(api: LocalApi, image: str, stack: str) -> str:
    tags = [{"ResourceType": "instance", "Tags": [{"Key": "slipway-stack", "Value": stack}]}]
    made = api.client("ec2").run_instances(ImageId=image, MinCount=1, MaxCount=1, TagSpecifications=tags)
    return str(made["Instances"][0]["InstanceId"])


def test_credentials_that_are_none_are_refused(api: LocalApi, bucket: str) -> None:
    stranger = ("AKIAXXXXXXXXXXXXXXXX", "x" * 40)
    assert code(api.client("ec2", *stranger).describe_vpcs) == "AuthFailure"
    assert code(api.client("s3", *stranger).list_buckets) == "InvalidAccessKeyId"
    assert code(api.client("ssm", *stranger).describe_parameters) == "UnrecognizedClientException"
    assert code(api.client("sts", *stranger).get_caller_identity) == "InvalidClientTokenId"
    given = api.world.role_credentials(api.role(policy({"Action": "*", "Resource": "*"})), "i-1")
    without_token = api.client("s3", given["AccessKeyId"], given["SecretAccessKey"])
    assert code(without_token.list_buckets) == "InvalidAccessKeyId"
    with pytest.raises(urllib.error.HTTPError, match="403"):
        urllib.request.urlopen(f"{api.endpoint}/{bucket}/releases/a")


def test_a_tls_only_bucket_policy_lets_calls_through_and_a_plain_deny_does_not(api: LocalApi) -> None:
    name = api.name("bucket")
    api.s3.create_bucket(Bucket=name)
    arns = [f"arn:aws:s3:::{name}", f"arn:aws:s3:::{name}/*"]
    deny = {"Effect": "Deny", "Principal": "*", "Action": "s3:*", "Resource": arns}
    tls = deny | {"Condition": {"Bool": {"aws:SecureTransport": "false"}}}
    api.s3.put_bucket_policy(Bucket=name, Policy=json.dumps(policy(tls)))
    api.s3.put_object(Bucket=name, Key="k", Body=b"x")
    assert api.s3.get_object(Bucket=name, Key="k")["Body"].read() == b"x"
    plain = deny | {"Action": "s3:GetObject"}
    api.s3.put_bucket_policy(Bucket=name, Policy=json.dumps(policy(plain)))
    assert code(api.s3.get_object, Bucket=name, Key="k") == "AccessDenied"


def test_a_public_policy_is_refused_where_public_access_is_blocked(api: LocalApi) -> None:
    name = api.name("bucket")
    api.s3.create_bucket(Bucket=name)
    block = dict.fromkeys(("BlockPublicAcls", "IgnorePublicAcls", "BlockPublicPolicy", "RestrictPublicBuckets"), True)
    api.s3.put_public_access_block(Bucket=name, PublicAccessBlockConfiguration=block)
    public = policy({"Principal": "*", "Action": "s3:GetObject", "Resource": f"arn:aws:s3:::{name}/*"})
    assert code(api.s3.put_bucket_policy, Bucket=name, Policy=json.dumps(public)) == "AccessDenied"


def test_an_operation_nobody_has_is_a_clean_error(api: LocalApi) -> None:
    assert code(api.ec2.describe_capacity_blocks) == "InvalidAction"
    assert code(api.ssm.list_nodes) == "UnknownOperationException"


def test_every_call_is_in_the_record_with_its_role_action_and_resource(
    api: LocalApi, record: Path, bucket: str
) -> None:
    role = api.role(policy({"Action": "s3:GetObject", "Resource": f"arn:aws:s3:::{bucket}/releases/*"}))
    api.s3.put_object(Bucket=bucket, Key="releases/a", Body=b"x")
    s3 = api.as_node("s3", role, "i-00000000000000001")
    s3.head_object(Bucket=bucket, Key="releases/a")
    with pytest.raises(ClientError):
        s3.list_objects_v2(Bucket=bucket, Prefix="releases/", MaxKeys=1)
    mine = [line for line in calls.read(record) if line["caller"] == role]
    assert [(line["action"], line["resource"], line["status"]) for line in mine] == [
        ("s3:GetObject", f"arn:aws:s3:::{bucket}/releases/a", 200),
        ("s3:ListBucket", f"arn:aws:s3:::{bucket}", 403),
    ]
    assert mine[1]["context"]["s3:prefix"] == "releases/"
    assert mine[1]["error"] == "AccessDenied"
    assert {line["session"] for line in mine} == {"i-00000000000000001"}


def test_the_record_is_bounded(api: LocalApi, tmp_path: Path) -> None:
    path = tmp_path / "calls.jsonl"
    with local_api(path) as small:
        small_record = calls.CallRecord(path, limit_bytes=2000)
        for _ in range(3):
            small.ssm.describe_parameters()
        line = next(calls.read(path))
        assert line["action"] == "ssm:DescribeParameters"
        for _ in range(20):
            small_record._append(json.dumps(line) + "\n")
    assert path.stat().st_size <= 2000
    assert path.with_name(f"{path.name}.1").stat().st_size <= 2000


def test_metrics_are_put_into_the_namespace_that_is_granted_and_no_other(api: LocalApi) -> None:
    granted = {"StringEquals": {"cloudwatch:namespace": METRICS.namespace}}
    statement = {"Effect": "Allow", "Action": "cloudwatch:PutMetricData", "Resource": "*", "Condition": granted}
    node = api.as_node("cloudwatch", api.role({"Version": "2012-10-17", "Statement": [statement]}))
    data = [{"MetricName": METRICS.rollouts_returned, "Value": 1.0}]
    node.put_metric_data(Namespace=METRICS.namespace, MetricData=data)
    assert refusal(node.put_metric_data, Namespace="Other", MetricData=data).startswith("AccessDenied")

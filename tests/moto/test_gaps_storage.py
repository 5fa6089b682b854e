"""Secrets and parameters as AWS keeps them."""

import pytest

from tests.moto.local_api import LocalApi, refusal


def test_a_deleted_secret_blocks_its_name_until_its_window_is_over(api: LocalApi) -> None:
    name = api.name("secret")
    api.secretsmanager.create_secret(Name=name, SecretString="a")
    api.secretsmanager.delete_secret(SecretId=name, RecoveryWindowInDays=7)
    again = {"Name": name, "SecretString": "b"}
    assert refusal(api.secretsmanager.create_secret, **again) == "InvalidRequestException"
    assert refusal(api.secretsmanager.get_secret_value, SecretId=name) == "InvalidRequestException"
    api.secretsmanager.restore_secret(SecretId=name)
    api.secretsmanager.delete_secret(SecretId=name, ForceDeleteWithoutRecovery=True)
    api.secretsmanager.create_secret(**again)


def test_a_secret_without_a_value_says_so(api: LocalApi) -> None:
    name = api.name("secret")
    arn = api.secretsmanager.create_secret(Name=name)["ARN"]
    assert refusal(api.secretsmanager.get_secret_value, SecretId=name) == "ResourceNotFoundException"
    assert api.world.secret(arn) is None
    api.secretsmanager.put_secret_value(SecretId=name, SecretString="a")
    assert api.world.secret(arn) == "a"


def test_a_parameter_keeps_its_last_hundred_versions(api: LocalApi) -> None:
    name = f"/{api.name('parameter')}"
    for number in range(105):
        answer = api.ssm.put_parameter(Name=name, Value=str(number), Type="String", Overwrite=True)
    assert answer["Version"] == 105
    assert api.ssm.get_parameter(Name=name)["Parameter"]["Value"] == "104"
    pages = api.ssm.get_paginator("get_parameter_history").paginate(Name=name)
    versions = [each["Version"] for page in pages for each in page["Parameters"]]
    assert versions == list(range(6, 106))
    assert refusal(api.ssm.get_parameter, Name=f"{name}:5") == "ParameterVersionNotFound"


@pytest.mark.parametrize("value", ["", "x" * 4097])
def test_a_parameters_value_has_a_size(api: LocalApi, value: str) -> None:
    call = {"Name": f"/{api.name('parameter')}", "Value": value, "Type": "String"}
    assert refusal(api.ssm.put_parameter, **call) == "ValidationException"


def test_a_bucket_that_was_versioned_is_emptied_of_its_delete_markers_too(api: LocalApi) -> None:
    bucket = api.name("bucket")
    api.s3.create_bucket(Bucket=bucket)
    api.s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    for name in ("deleted", "written again"):
        api.s3.put_object(Bucket=bucket, Key=name, Body=b"1")
        api.s3.delete_object(Bucket=bucket, Key=name)
    api.s3.put_object(Bucket=bucket, Key="written again", Body=b"2")
    api.s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Suspended"})
    found = api.s3.list_object_versions(Bucket=bucket)
    every = [*found["Versions"], *found["DeleteMarkers"]]
    doomed = [{"Key": each["Key"], "VersionId": each["VersionId"]} for each in every]
    answer = api.s3.delete_objects(Bucket=bucket, Delete={"Objects": doomed})
    assert "Errors" not in answer
    api.s3.delete_bucket(Bucket=bucket)
    assert bucket not in [each["Name"] for each in api.s3.list_buckets()["Buckets"]]

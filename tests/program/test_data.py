"""What holds data: the database and the bucket, closed, encrypted, and protected where they must be."""

import re

from contract import S3
from tests.program.engine import Recording

DATABASE = "aws:rds/instance:Instance"


def test_the_database_is_encrypted_private_and_keeps_its_password_to_itself(stack: Recording) -> None:
    inputs = stack.one(DATABASE).inputs
    assert inputs["storageEncrypted"] is True
    assert inputs["publiclyAccessible"] is False
    assert inputs["manageMasterUserPassword"] is True
    assert "password" not in inputs
    assert re.fullmatch(r"\d+", inputs["engineVersion"]), "a minor version would drift with the first upgrade"
    (forced,) = stack.one("aws:rds/parameterGroup:ParameterGroup").inputs["parameters"]
    assert (forced["name"], forced["value"]) == ("rds.force_ssl", "1")


def test_what_holds_data_is_protected_in_production_and_not_locally(
    local_stack: Recording, prod_stack: Recording
) -> None:
    for kind in (DATABASE, "aws:s3/bucket:Bucket", "aws:lb/loadBalancer:LoadBalancer"):
        assert prod_stack.one(kind).request.protect, f"a destroy would fail only half-way, at {kind}"
        assert not local_stack.one(kind).request.protect
    assert prod_stack.one(DATABASE).inputs["deletionProtection"] is True
    assert prod_stack.one("aws:s3/bucket:Bucket").inputs["forceDestroy"] is False


def test_a_final_snapshot_is_named_after_what_no_second_stack_repeats(prod_stack: Recording) -> None:
    generated = prod_stack.one("aws:rds/subnetGroup:SubnetGroup").name + "-0123456"
    assert prod_stack.one(DATABASE).inputs["finalSnapshotIdentifier"] == f"{generated}-final"


def test_a_database_without_final_snapshot_names_none(local_stack: Recording) -> None:
    assert local_stack.one(DATABASE).inputs["skipFinalSnapshot"] is True
    assert "finalSnapshotIdentifier" not in local_stack.one(DATABASE).inputs


def test_the_bucket_is_private_encrypted_versioned_and_expires_nothing_current(stack: Recording) -> None:
    block = stack.one("aws:s3/bucketPublicAccessBlock:BucketPublicAccessBlock").inputs
    assert all(block[key] for key in block if key != "bucket")
    assert (
        stack.one("aws:s3/bucketVersioning:BucketVersioning").inputs["versioningConfiguration"]["status"] == "Enabled"
    )
    assert stack.of("aws:s3/bucketServerSideEncryptionConfiguration:BucketServerSideEncryptionConfiguration")
    rules = stack.one("aws:s3/bucketLifecycleConfiguration:BucketLifecycleConfiguration").inputs["rules"]
    days = {rule["filter"]["prefix"]: rule["expiration"]["days"] for rule in rules if "days" in rule["expiration"]}
    assert days == {S3.logs: 30, S3.predictions: 30}, "a rollback may need every other current object"
    for rule in rules:
        expires = {"days", "date"} & set(rule.get("expiration", {}))
        assert rule["noncurrentVersionExpiration"]
        assert expires or rule["abortIncompleteMultipartUpload"]

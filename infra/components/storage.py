"""The bucket of releases, deployments, models and MLflow's artifacts: it outlives every node."""

from dataclasses import dataclass

import pulumi
import pulumi_aws as aws

from contract import S3
from infra import policies
from infra.sections import StorageSettings

ABORT_DAYS = 7
ORDER_DAYS = 7
"""For whoever asks what became of one: nobody goes on with an order after hours."""


@dataclass(frozen=True, kw_only=True)
class StorageArgs:
    """`jobs_days` is how long inputs and results of jobs are kept; None where there are none. `orders`: whether one
    node gives orders to another through the bucket."""

    settings: StorageSettings
    jobs_days: int | None
    orders: bool


class Storage(pulumi.ComponentResource):
    bucket: pulumi.Output[str]
    arn: pulumi.Output[str]
    ready: list[pulumi.Resource]

    def __init__(self, name: str, args: StorageArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("slipway:storage:Storage", name, None, opts)
        child = pulumi.ResourceOptions(parent=self)
        bucket = aws.s3.Bucket(
            f"{name}-artifacts",
            force_destroy=args.settings.force_destroy,
            tags={"Name": f"{name}-artifacts"},
            opts=pulumi.ResourceOptions(parent=self, protect=not args.settings.force_destroy),
        )
        self.bucket, self.arn = bucket.bucket, bucket.arn
        block = aws.s3.BucketPublicAccessBlock(
            f"{name}-artifacts",
            bucket=bucket.id,
            block_public_acls=True,
            block_public_policy=True,
            ignore_public_acls=True,
            restrict_public_buckets=True,
            opts=child,
        )
        ownership = aws.s3.BucketOwnershipControls(
            f"{name}-artifacts", bucket=bucket.id, rule={"object_ownership": "BucketOwnerEnforced"}, opts=child
        )
        versioning = aws.s3.BucketVersioning(
            f"{name}-artifacts", bucket=bucket.id, versioning_configuration={"status": "Enabled"}, opts=child
        )
        encryption = aws.s3.BucketServerSideEncryptionConfiguration(
            f"{name}-artifacts",
            bucket=bucket.id,
            rules=[{"apply_server_side_encryption_by_default": {"sse_algorithm": "AES256"}}],
            opts=child,
        )
        policy = aws.s3.BucketPolicy(
            f"{name}-artifacts",
            bucket=bucket.id,
            policy=bucket.arn.apply(policies.tls_only),
            opts=pulumi.ResourceOptions(parent=self, depends_on=[block]),
        )
        self._lifecycle(name, bucket, versioning, args)
        self.ready = [block, ownership, versioning, encryption, policy]
        self.register_outputs({"bucket": self.bucket, "arn": self.arn})

    def _lifecycle(
        self, name: str, bucket: aws.s3.Bucket, versioning: aws.s3.BucketVersioning, args: StorageArgs
    ) -> None:
        """Clears what nobody can name any more, and logs of nodes and predictions that are old. No other current object
        ever expires, but what jobs and orders leave: a rollback may need it, and `slipway prune` knows which one."""
        settings = args.settings
        aws.s3.BucketLifecycleConfiguration(
            f"{name}-artifacts",
            bucket=bucket.id,
            rules=[
                {
                    "id": "leftovers",
                    "status": "Enabled",
                    "filter": {"prefix": ""},
                    "abort_incomplete_multipart_upload": {"days_after_initiation": ABORT_DAYS},
                    "noncurrent_version_expiration": {"noncurrent_days": settings.noncurrent_days},
                    "expiration": {"expired_object_delete_marker": True},
                },
                _expiring("logs", S3.logs, settings.log_days),
                _expiring("predictions", S3.predictions, settings.prediction_days),
                *([_expiring("jobs", S3.jobs, args.jobs_days)] if args.jobs_days else []),
                *([_expiring("orders", S3.orders, ORDER_DAYS)] if args.orders else []),
            ],
            opts=pulumi.ResourceOptions(parent=self, depends_on=[versioning]),
        )


def _expiring(name: str, prefix: str, days: int) -> aws.s3.BucketLifecycleConfigurationRuleArgsDict:
    return {
        "id": name,
        "status": "Enabled",
        "filter": {"prefix": prefix},
        "noncurrent_version_expiration": {"noncurrent_days": 1},
        "expiration": {"days": days},
    }

"""S3: a bucket, its settings (each a resource of its own since version 4 of the AWS provider), and objects."""

from localcloud.provider.types.s3.bucket import Bucket
from localcloud.provider.types.s3.lifecycle import BucketLifecycleConfiguration
from localcloud.provider.types.s3.objects import BucketObjectv2
from localcloud.provider.types.s3.settings import (
    BucketOwnershipControls,
    BucketPolicy,
    BucketPublicAccessBlock,
    BucketServerSideEncryptionConfiguration,
    BucketVersioning,
)

RESOURCES = (
    Bucket,
    BucketLifecycleConfiguration,
    BucketObjectv2,
    BucketOwnershipControls,
    BucketPolicy,
    BucketPublicAccessBlock,
    BucketServerSideEncryptionConfiguration,
    BucketVersioning,
)

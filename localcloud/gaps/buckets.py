"""Bucket policies whose conditions count, and a block on public access that blocks.

Moto ignores conditions, so "deny unless TLS" denies everything; here bucket policies are evaluated before moto is asked
(localcloud/api/access.py), and moto's own look at them is switched off. A policy that makes a bucket public is refused
where the bucket's public access block says so.
Fixed when moto lets PutObject through a bucket policy that denies on `aws:SecureTransport: false`.
"""

from typing import Any

from moto.iam.access_control import PermissionResult
from moto.s3.exceptions import S3AccessDeniedError
from moto.s3.models import FakeBucket, S3Backend
from moto.s3.utils import bucket_policy_is_public

from localcloud.gaps.patch import AnyFunction, replace


def _permission(_original: AnyFunction, _self: Any, _action: str, _resource: str) -> Any:
    return PermissionResult.NEUTRAL


def _put_policy(original: AnyFunction, self: Any, bucket_name: str, policy: bytes) -> None:
    block = self.get_bucket(bucket_name).public_access_block
    if block and str(block.block_public_policy).lower() == "true" and bucket_policy_is_public(policy):
        raise S3AccessDeniedError
    original(self, bucket_name, policy)


def install() -> None:
    replace(FakeBucket, "get_permission", _permission)
    replace(S3Backend, "put_bucket_policy", _put_policy)

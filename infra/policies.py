"""Who may do what: IAM and bucket policies as plain data.

A serving node reads; only its role's own prefixes, and nothing by which one node could change what another serves.
"""

import json
from collections.abc import Sequence
from typing import Any

from contract import S3

Statement = dict[str, Any]

SERVING_PREFIXES = (S3.nodes, S3.releases, S3.deployments, S3.models)
TRACKING_PREFIXES = (S3.nodes, S3.releases)


def document(statements: Sequence[Statement]) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)}, sort_keys=True)


def assumed_by(service: str) -> str:
    return document([{"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {"Service": service}}])


def allow(actions: Sequence[str], resources: Sequence[str], **more: Any) -> Statement:
    return {"Effect": "Allow", "Action": list(actions), "Resource": list(resources)} | more


def serving(bucket_arn: str, deployment_arn: str) -> str:
    """Reads its own files, releases, deployments, models and the pointer."""
    return document(
        [
            allow(["s3:GetObject"], _below(bucket_arn, SERVING_PREFIXES)),
            _list(bucket_arn, SERVING_PREFIXES),
            allow(["ssm:GetParameter"], [deployment_arn]),
        ]
    )


def tracking(bucket_arn: str, address_arn: str, master_arn: str, admin_arn: str) -> str:
    """Keeps MLflow's artifacts, reads its own files and the control release, and owns its admin secret and address."""
    artifacts = ["s3:GetObject", "s3:PutObject", "s3:DeleteObject", "s3:AbortMultipartUpload"]
    return document(
        [
            allow(["s3:GetObject"], _below(bucket_arn, TRACKING_PREFIXES)),
            allow(artifacts, _below(bucket_arn, [S3.mlflow])),
            _list(bucket_arn, [*TRACKING_PREFIXES, S3.mlflow]),
            allow(["secretsmanager:GetSecretValue"], [master_arn, admin_arn]),
            allow(["secretsmanager:PutSecretValue"], [admin_arn]),
            allow(["ssm:PutParameter"], [address_arn]),
        ]
    )


def logs(bucket_arn: str, role: str) -> str:
    """Adds to the logs of its own role, and can neither read nor list what is there."""
    return document([allow(["s3:PutObject"], _below(bucket_arn, [f"{S3.logs}{role}/"]))])


def tls_only(bucket_arn: str) -> str:
    return document(
        [
            {
                "Sid": "TlsOnly",
                "Effect": "Deny",
                "Principal": "*",
                "Action": "s3:*",
                "Resource": [bucket_arn, f"{bucket_arn}/*"],
                "Condition": {"Bool": {"aws:SecureTransport": "false"}},
            }
        ]
    )


def _below(bucket_arn: str, prefixes: Sequence[str]) -> list[str]:
    return [f"{bucket_arn}/{prefix}*" for prefix in prefixes]


def _list(bucket_arn: str, prefixes: Sequence[str]) -> Statement:
    """Without it a missing object is 403, not 404."""
    within = {"StringLike": {"s3:prefix": [f"{prefix}*" for prefix in prefixes]}}
    return allow(["s3:ListBucket"], [bucket_arn], Condition=within)

"""Who may do what: IAM and bucket policies as plain data.

A serving node reads; only its role's own prefixes, and nothing by which one node could change what another serves.
Where an alias is followed, the tracking node is an operator for deliveries: it may write what a rollout writes.
"""

import json
from collections.abc import Sequence
from typing import Any

from contract import METRICS, ORDER_FILES, S3, TAGS

Statement = dict[str, Any]

JOBS_PREFIXES = (S3.jobs,)
SERVING_PREFIXES = (S3.nodes, S3.releases, S3.deployments, S3.models)
TRACKING_PREFIXES = (S3.nodes, S3.releases)
BROKER_PREFIXES = (S3.nodes, S3.releases)
PIPELINE_PREFIXES = (S3.nodes, S3.releases, S3.rollouts, S3.pushed)
ORDERED = (ORDER_FILES.order, ORDER_FILES.tree, ORDER_FILES.claim)
CARRIED_OUT = (ORDER_FILES.claim, ORDER_FILES.log, ORDER_FILES.outcome)
WATCHER_PREFIXES = (S3.deployments, S3.models, S3.rollouts)


def document(statements: Sequence[Statement]) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)}, sort_keys=True)


def assumed_by(service: str) -> str:
    return document([{"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {"Service": service}}])


def allow(actions: Sequence[str], resources: Sequence[str], **more: Any) -> Statement:
    return {"Effect": "Allow", "Action": list(actions), "Resource": list(resources)} | more


def serving(
    bucket_arn: str,
    deployment_arn: str,
    watcher_key_arn: str | None,
    *,
    logs_predictions: bool = False,
    jobs: Sequence[Statement] = (),
) -> str:
    """Reads its own files, releases, deployments, models, the pointer, and the key that it lets in; writes the
    prediction log, if there is one. What it wrote there it can neither read nor list. `jobs`: see
    `takes_part_in_jobs`.
    """
    shipped = [allow(["s3:PutObject"], _below(bucket_arn, [S3.predictions]))] if logs_predictions else []
    return document(
        [
            allow(["s3:GetObject"], _below(bucket_arn, SERVING_PREFIXES)),
            _list(bucket_arn, SERVING_PREFIXES),
            allow(["ssm:GetParameter"], [arn for arn in (deployment_arn, watcher_key_arn) if arn]),
            *shipped,
            *jobs,
        ]
    )


def launched(group: str) -> list[Statement]:
    """Tells its own group that it is ready. Which group that is no template can name, since the group names it; EC2
    Auto Scaling knows no resource for descriptions.
    """
    own = f"arn:aws:autoscaling:*:*:autoScalingGroup:*:autoScalingGroupName/{group}-*"
    return [
        allow(["autoscaling:CompleteLifecycleAction"], [own]),
        allow(["autoscaling:DescribeAutoScalingInstances"], ["*"]),
    ]


def tracking(
    bucket_arn: str, address_arn: str, master_arn: str, admin_arn: str, *, delivers: Sequence[Statement] = ()
) -> str:
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
            *delivers,
        ]
    )


def takes_part_in_jobs(bucket_arn: str, address_arn: str, broker_arn: str, database_arn: str) -> list[Statement]:
    """Finds broker and database and logs in there; keeps what is too large for a row."""
    return [
        allow(["ssm:GetParameter"], [address_arn]),
        allow(["secretsmanager:GetSecretValue"], [broker_arn, database_arn]),
        allow(["s3:GetObject", "s3:PutObject", "s3:DeleteObject"], _below(bucket_arn, JOBS_PREFIXES)),
        _list(bucket_arn, JOBS_PREFIXES),
    ]


def broker(bucket_arn: str, address_arn: str, broker_arn: str, database_arn: str, master_arn: str) -> str:
    """Reads its own files and the jobs release, makes the logins at itself and at the database, and says where it is
    and how many wait."""
    return document(
        [
            allow(["s3:GetObject"], _below(bucket_arn, BROKER_PREFIXES)),
            _list(bucket_arn, BROKER_PREFIXES),
            allow(["secretsmanager:GetSecretValue"], [master_arn, database_arn]),
            allow(["secretsmanager:PutSecretValue"], [broker_arn, database_arn]),
            allow(["ssm:PutParameter"], [address_arn]),
            _metrics(),
        ]
    )


def pipeline(
    *,
    bucket_arn: str,
    tracking_arn: str,
    address_arn: str,
    secret_arn: str,
    master_arn: str,
    admin_arn: str,
    webhook_arn: str | None,
    orders: bool = False,
) -> str:
    """Reads its own files, its releases and what became of rollouts, finds MLflow and logs in there, and owns its
    secret, its address and the copy of what is pushed to it. It changes nothing that is served: the alias that a
    training moves is the watcher's to follow, and so are the `orders` that it gives, where there is a watcher. Where
    there is a chat to tell, it reads the chat's address.
    """
    chat = [webhook_arn] if webhook_arn else []
    return document(
        [
            allow(["s3:GetObject"], _below(bucket_arn, PIPELINE_PREFIXES)),
            allow(["s3:PutObject"], _below(bucket_arn, [S3.pushed])),
            _list(bucket_arn, PIPELINE_PREFIXES),
            allow(["secretsmanager:GetSecretValue"], [master_arn, admin_arn, secret_arn, *chat]),
            allow(["secretsmanager:PutSecretValue"], [secret_arn]),
            allow(["ssm:GetParameter"], [tracking_arn]),
            allow(["ssm:PutParameter"], [address_arn]),
            *(takes_part_in_orders(bucket_arn, ORDERED) if orders else []),
        ]
    )


def takes_part_in_orders(bucket_arn: str, files: Sequence[str]) -> list[Statement]:
    """Reads orders, and writes just these files of them: neither node speaks for the other."""
    return [
        allow(["s3:GetObject"], _below(bucket_arn, [S3.orders])),
        allow(["s3:PutObject"], [f"{bucket_arn}/{S3.orders}*/{file}" for file in files]),
        _list(bucket_arn, [S3.orders]),
    ]


def logs(bucket_arn: str, role: str) -> str:
    """Adds to the logs of its own role, and can neither read nor list what is there."""
    return document([allow(["s3:PutObject"], _below(bucket_arn, [f"{S3.logs}{role}/"]))])


def watcher(
    stack: str,
    bucket_arn: str,
    deployment_arn: str,
    key_arn: str | None,
    secret_arn: str | None,
    *,
    webhook_arn: str | None = None,
    builds: bool = False,
    orders: bool = False,
) -> list[Statement]:
    """Makes deployments and rolls them: their objects, the pointer, its own SSH key, and where the nodes are. Where it
    `builds` releases or carries out `orders`, it adds them; where there is a chat to tell, it reads the chat's address.

    EC2 knows no resource for descriptions. A console, which shows a node's host keys, is of this stack's nodes only.
    """
    keys, secrets = [arn for arn in (key_arn,) if arn], [arn for arn in (secret_arn,) if arn]
    chat = [allow(["secretsmanager:GetSecretValue"], [webhook_arn])] if webhook_arn else []
    built = [allow(["s3:PutObject"], _below(bucket_arn, [S3.releases]))] if builds or orders else []
    own = {"StringEquals": {f"aws:ResourceTag/{TAGS.stack}": stack}}
    return [
        allow(["s3:GetObject", "s3:PutObject"], _below(bucket_arn, WATCHER_PREFIXES)),
        allow(["s3:DeleteObject"], [f"{bucket_arn}/{S3.previous}"]),
        _list(bucket_arn, WATCHER_PREFIXES),
        allow(["ssm:GetParameter", "ssm:PutParameter"], [deployment_arn, *keys]),
        allow(["secretsmanager:GetSecretValue", "secretsmanager:PutSecretValue"], secrets),
        allow(["ec2:DescribeInstances"], ["*"]),
        _metrics(),
        allow(["ec2:GetConsoleOutput"], ["arn:aws:ec2:*:*:instance/*"], Condition=own),
        *built,
        *(takes_part_in_orders(bucket_arn, CARRIED_OUT) if orders else []),
        *chat,
    ]


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


def _metrics() -> Statement:
    """CloudWatch knows no resource for a metric: the namespace bounds it."""
    own = {"StringEquals": {"cloudwatch:namespace": METRICS.namespace}}
    return allow(["cloudwatch:PutMetricData"], ["*"], Condition=own)


def _below(bucket_arn: str, prefixes: Sequence[str]) -> list[str]:
    return [f"{bucket_arn}/{prefix}*" for prefix in prefixes]


def _list(bucket_arn: str, prefixes: Sequence[str]) -> Statement:
    """Without it a missing object is 403, not 404: S3 then holds the condition against the object's own key. HeadBucket
    names no prefix, so it stays forbidden."""
    within = {"StringLike": {"s3:prefix": [f"{prefix}*" for prefix in prefixes]}}
    return allow(["s3:ListBucket"], [bucket_arn], Condition=within)

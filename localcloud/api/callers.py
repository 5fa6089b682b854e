"""Whose access key a request carries, and what policies speak of them. Read under moto's lock."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from moto.core.exceptions import ServiceException
from moto.core.utils import utcnow
from moto.ec2.models import ec2_backends
from moto.iam.models import iam_backends
from moto.s3.models import s3_backends
from moto.secretsmanager.models import secretsmanager_backends
from moto.sts.models import sts_backends

# The operator's own: administrator of the account, in .slipway/env. No secret: it opens nothing but this process.
OPERATOR_KEY_ID = "AKIASLIPWAYLOCAL0000"
OPERATOR_SECRET = "slipway-local-cloud-operator-secret-0000"  # noqa: S105

Policy = Mapping[str, Any]


@dataclass(frozen=True)
class Caller:
    """`arn` is what a policy's Principal or a record calls them: the role's, not the session's."""

    kind: str
    arn: str
    session: str = ""


class UnknownCallerError(Exception):
    """`code` is AWS's error code for credentials that are none, or no more."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


def identify(access_key: str, token: str, account: str) -> Caller:
    if access_key == OPERATOR_KEY_ID:
        return Caller("operator", f"arn:aws:iam::{account}:user/operator")
    session = sts_backends[account]["aws"].get_assumed_role_from_access_key(access_key)
    if session is not None:
        if session.expiration < utcnow():
            raise UnknownCallerError("ExpiredToken", "The provided token has expired.")
        if token != session.session_token:
            raise UnknownCallerError("InvalidClientTokenId", "The security token included in the request is invalid.")
        return Caller("role", session.role_arn, session.session_name)
    key = iam_backends[account]["aws"].access_keys.get(access_key)
    if key is not None and key.user_name and key.status == "Active":
        return Caller("user", f"arn:aws:iam::{account}:user/{key.user_name}")
    raise UnknownCallerError("InvalidClientTokenId", "The security token included in the request is invalid.")


def identity_policies(caller: Caller, account: str) -> list[Policy]:
    """Inline and attached policies of the role or user, as they are now."""
    iam = iam_backends[account]["aws"]
    name = caller.arn.rpartition("/")[2]
    try:
        owner = iam.get_role(name) if caller.kind == "role" else iam.get_user(name)
    except ServiceException:
        return []
    documents = list(owner.policies.values())
    documents += [policy.document for policy in owner.managed_policies.values()]
    return [json.loads(document) if isinstance(document, str) else document for document in documents]


def bucket_policy(resource: str, account: str) -> list[Policy]:
    bucket = s3_backends[account]["aws"].buckets.get(resource.removeprefix("arn:aws:s3:::").partition("/")[0])
    if bucket is None or not bucket.policy:
        return []
    return [json.loads(bucket.policy)]


def instance_tags(resource: str, account: str, region: str) -> dict[str, str]:
    """`aws:ResourceTag/…` of an instance, by its ARN; nothing for any other resource."""
    kind, _, instance_id = resource.rpartition(":")[2].partition("/")
    if kind != "instance" or not resource.startswith("arn:aws:ec2:"):
        return {}
    tags = ec2_backends[account][region].tags.get(instance_id, {})
    return {f"aws:ResourceTag/{key}": str(value) for key, value in tags.items()}


def full_secret_arn(given: str, account: str, region: str) -> str:
    """A secret may be asked for by name; policies name its ARN."""
    secrets = secretsmanager_backends[account][region].secrets
    return str(secrets[given].arn) if given in secrets else given

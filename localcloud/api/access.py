"""Whether IAM lets a caller do what a call needs. The operator may do everything that no bucket policy denies.

Loopback and the machines' own bridge stand for TLS here, so `aws:SecureTransport` is always true.
"""

from dataclasses import replace

from localcloud.api import callers, policy
from localcloud.api.actions import ALWAYS_ALLOWED, Call
from localcloud.api.callers import Caller
from localcloud.api.policy import Decision
from localcloud.api.s3_actions import ARN, Permission

ALLOWED = Decision(True, "")


class Denied(Exception):  # noqa: N818  an answer, not a fault
    def __init__(self, caller: Caller, permission: Permission, reason: str) -> None:
        who = f"{caller.arn}/{caller.session}".rstrip("/")
        super().__init__(
            f"User: {who} is not authorized to perform: {permission.action} "
            f"on resource: {permission.resource} ({reason})"
        )


def about(call: Call, account: str) -> Call:
    """The call with the tags of the instances that it names, as the condition keys that IAM makes of them."""
    permissions = tuple(
        replace(each, context={**each.context, **callers.instance_tags(each.resource, account, call.region)})
        for each in call.permissions
    )
    return replace(call, permissions=permissions)


def authorize(caller: Caller, call: Call, account: str) -> None:
    """Raises `Denied` for the first permission that is not granted."""
    for permission in call.permissions:
        decision = decide(caller, permission, account, call.region)
        if not decision.allowed:
            raise Denied(caller, permission, decision.reason)


def decide(caller: Caller, permission: Permission, account: str, region: str) -> Decision:
    if permission.action in ALWAYS_ALLOWED:
        return ALLOWED
    context = {"aws:SecureTransport": "true", "aws:PrincipalArn": caller.arn, "aws:RequestedRegion": region}
    context |= permission.context
    resource = permission.resource
    if permission.action.startswith("secretsmanager:"):
        resource = callers.full_secret_arn(resource, account, region)
    granted = False
    if permission.action.startswith("s3:"):
        policies = callers.bucket_policy(resource, account)
        theirs = policy.evaluate(policies, permission.action, resource, context, principal=caller.arn)
        if theirs.reason.startswith("explicit deny"):
            return theirs
        granted = theirs.allowed
    if caller.kind == "operator" or granted:
        return ALLOWED
    own = callers.identity_policies(caller, account)
    return policy.evaluate(own, permission.action, resource, context)


def hides_absence(caller: Caller, call: Call, account: str) -> bool:
    """Whether a missing object is "forbidden" to them: S3 says "not found" only to those who may list it.

    A condition on `s3:prefix` is then held against the object's key (https://github.com/ceph/ceph/pull/68577).
    """
    if caller.kind == "operator" or call.service != "s3" or not call.operation.startswith("GetObject"):
        return False
    bucket, _, key = call.permissions[0].resource.removeprefix(ARN).partition("/")
    listing = Permission("s3:ListBucket", ARN + bucket, {"s3:prefix": key})
    return not decide(caller, listing, account, call.region).allowed

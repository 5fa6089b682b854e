"""IAM's evaluation, against its documentation."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from localcloud.api.policy import UnsupportedPolicyError, evaluate, matches

BUCKET = "arn:aws:s3:::artifacts"


def allow(action: Any = "s3:*", resource: Any = "*", **more: Any) -> dict[str, Any]:
    return {"Statement": {"Effect": "Allow", "Action": action, "Resource": resource} | more}


def deny(action: Any = "s3:*", resource: Any = "*", **more: Any) -> dict[str, Any]:
    return {"Statement": [{"Effect": "Deny", "Action": action, "Resource": resource} | more]}


def allowed(
    *policies: dict[str, Any], action: str = "s3:GetObject", resource: str = f"{BUCKET}/k", **context: str
) -> bool:
    return evaluate(policies, action, resource, context).allowed


def test_nothing_is_allowed_that_no_statement_allows() -> None:
    assert not allowed()
    assert not allowed(allow("s3:PutObject"))
    assert not allowed(allow(resource=BUCKET))


def test_a_deny_wins_over_any_allow_and_says_so() -> None:
    assert not allowed(allow(), deny())
    decision = evaluate([allow(), deny(Sid="No")], "s3:GetObject", BUCKET)
    assert decision.reason == "explicit deny: No"


def test_actions_are_compared_without_case_and_resources_with_it() -> None:
    assert allowed(allow("S3:getobject", f"{BUCKET}/*"))
    assert not allowed(allow("s3:GetObject", f"{BUCKET}/K"))


def test_wildcards_cross_slashes_and_know_no_character_classes() -> None:
    assert matches("a/*", "a/b/c")
    assert matches("a?c", "abc")
    assert not matches("a[bc]", "ab")
    assert matches("a[bc]", "a[bc]")
    assert not matches("a", "a/b")


@given(st.text(alphabet="ab*?/[]", max_size=8))
def test_every_text_without_wildcards_matches_itself_only(text: str) -> None:
    plain = text.replace("*", "").replace("?", "")
    assert matches(plain, plain)
    assert not matches(plain, f"{plain}x")
    assert matches("*", text)


def test_not_action_and_not_resource_mean_the_rest() -> None:
    statement = {"Effect": "Allow", "NotAction": "s3:Delete*", "NotResource": f"{BUCKET}/secret/*"}
    policy = {"Statement": statement}
    assert allowed(policy)
    assert not allowed(policy, action="s3:DeleteObject")
    assert not allowed(policy, resource=f"{BUCKET}/secret/a")


@pytest.mark.parametrize(
    ("condition", "context", "holds"),
    [
        ({"StringLike": {"s3:prefix": ["a/*", "b/*"]}}, {"s3:prefix": "b/c"}, True),
        ({"StringLike": {"s3:prefix": "a/*"}}, {"s3:prefix": "b/c"}, False),
        ({"StringLike": {"s3:prefix": "a/*"}}, {}, False),
        ({"StringEquals": {"S3:Prefix": "a"}}, {"s3:prefix": "a"}, True),
        ({"StringNotEquals": {"aws:RequestedRegion": "us-east-1"}}, {"aws:RequestedRegion": "us-east-1"}, False),
        ({"StringNotEquals": {"s3:prefix": "a"}}, {}, True),
        ({"StringEqualsIfExists": {"s3:prefix": "a"}}, {}, True),
        ({"Bool": {"aws:SecureTransport": "false"}}, {"aws:SecureTransport": "true"}, False),
        ({"Bool": {"aws:SecureTransport": True}}, {"aws:SecureTransport": "true"}, True),
        ({"Null": {"s3:prefix": "true"}}, {}, True),
        (
            {"ArnLike": {"aws:PrincipalArn": "arn:aws:iam::*:role/x-*"}},
            {"aws:PrincipalArn": "arn:aws:iam::1:role/x-y"},
            True,
        ),
        ({"IpAddress": {"aws:SourceIp": "10.0.0.0/8"}}, {"aws:SourceIp": "10.1.2.3"}, True),
        ({"NumericLessThanEquals": {"s3:max-keys": "10"}}, {"s3:max-keys": "11"}, False),
        ({"StringEquals": {"a": "1"}, "StringLike": {"b": "2*"}}, {"a": "1", "b": "3"}, False),
    ],
)
def test_conditions(condition: dict[str, Any], context: dict[str, str], holds: bool) -> None:
    assert evaluate([allow(Condition=condition)], "s3:GetObject", BUCKET, context).allowed is holds


def test_what_is_not_understood_raises() -> None:
    with pytest.raises(UnsupportedPolicyError, match="DateLessThan"):
        allowed(allow(Condition={"DateLessThan": {"aws:CurrentTime": "2030-01-01"}}))
    with pytest.raises(UnsupportedPolicyError, match="Ressource"):
        allowed({"Statement": {"Effect": "Allow", "Action": "*", "Resource": "*", "Ressource": "*"}})


def test_a_resources_own_policy_names_whom_it_speaks_of() -> None:
    role = "arn:aws:iam::123456789012:role/node"
    mine = allow(Principal={"AWS": role})
    assert evaluate([mine], "s3:GetObject", BUCKET, principal=role).allowed
    assert not evaluate([mine], "s3:GetObject", BUCKET, principal=f"{role}2").allowed
    everybody = deny(Principal="*")
    assert not evaluate([mine, everybody], "s3:GetObject", BUCKET, principal=role).allowed

"""IAM's evaluation of policies: an explicit Deny wins, then any Allow, else it is denied.

https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic.html
An operator or element that is not known here raises: a policy nobody understands must not pass as harmless.
"""

import ipaddress
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

Statement = Mapping[str, Any]
Context = Mapping[str, str | Sequence[str]]

KNOWN = {"Sid", "Effect", "Principal", "NotPrincipal", "Action", "NotAction", "Resource", "NotResource", "Condition"}


class UnsupportedPolicyError(ValueError):
    """A policy that uses what this evaluation does not know."""


@dataclass(frozen=True)
class Decision:
    """`allowed`, and the Sid or text of the statement that decided, if one did."""

    allowed: bool
    reason: str


def statements(policies: Iterable[Mapping[str, Any]]) -> list[Statement]:
    found: list[Statement] = []
    for policy in policies:
        found += as_list(policy.get("Statement", []))
    return found


def evaluate(
    policies: Iterable[Mapping[str, Any]],
    action: str,
    resource: str,
    context: Context | None = None,
    *,
    principal: str | None = None,
) -> Decision:
    """`action` as IAM names it (`s3:GetObject`), `resource` an ARN or `*`, `context` the condition keys of the request.

    With `principal`, the policies are a resource's own and name whom they speak of.
    """
    context = {key.lower(): value for key, value in (context or {}).items()}
    allowed = ""
    for statement in statements(policies):
        if not _applies(statement, action, resource, context, principal):
            continue
        name = str(statement.get("Sid") or f"{statement['Effect']} {statement.get('Action')}")
        if statement["Effect"] == "Deny":
            return Decision(False, f"explicit deny: {name}")
        allowed = allowed or name
    return Decision(bool(allowed), allowed or "no statement allows it")


def _applies(statement: Statement, action: str, resource: str, context: Context, principal: str | None) -> bool:
    if unknown := set(statement) - KNOWN:
        raise UnsupportedPolicyError(f"policy element {sorted(unknown)} is not supported")
    return (
        _named(statement, principal)
        and _listed(statement, "Action", action.lower(), str.lower)
        and _listed(statement, "Resource", resource, str)
        and conditions_hold(statement.get("Condition", {}), context)
    )


def _named(statement: Statement, principal: str | None) -> bool:
    if principal is None:
        return True
    if "NotPrincipal" in statement:
        raise UnsupportedPolicyError("NotPrincipal is not supported")
    given = statement.get("Principal", {})
    names = as_list(given if isinstance(given, str) else given.get("AWS", []))
    account = principal.split(":")[4] if principal.count(":") > 4 else ""
    return any(name in ("*", principal, account, f"arn:aws:iam::{account}:root") for name in names)


def _listed(statement: Statement, element: str, value: str, fold: Callable[[str], str]) -> bool:
    if element in statement:
        return any(matches(fold(pattern), value) for pattern in as_list(statement[element]))
    if f"Not{element}" in statement:
        return not any(matches(fold(pattern), value) for pattern in as_list(statement[f"Not{element}"]))
    raise UnsupportedPolicyError(f"a statement without {element}")


def conditions_hold(conditions: Mapping[str, Mapping[str, Any]], context: Context) -> bool:
    """All operators and all keys have to hold; of several values of one key, one suffices."""
    return all(
        _condition(operator, key.lower(), [str(value) for value in as_list(wanted)], context)
        for operator, keys in conditions.items()
        for key, wanted in keys.items()
    )


def _condition(operator: str, key: str, wanted: list[str], context: Context) -> bool:
    quantifier, _, bare = operator.rpartition(":")
    if_exists = bare.endswith("IfExists")
    bare = bare.removesuffix("IfExists")
    if bare == "Null":
        return (key not in context) == (wanted[0].lower() == "true")
    negative = bare in NEGATIVE
    test = OPERATORS.get(NEGATIVE.get(bare, bare))
    if test is None or quantifier not in ("", "ForAllValues", "ForAnyValue"):
        raise UnsupportedPolicyError(f"condition operator {operator} is not supported")
    if key not in context:
        return if_exists or negative or quantifier == "ForAllValues"
    has = [str(value) for value in as_list(context[key])]
    results = [any(test(value, pattern) for pattern in wanted) != negative for value in has]
    return any(results) if quantifier == "ForAnyValue" else all(results)


def matches(pattern: str, value: str) -> bool:
    """IAM's wildcards: `*` and `?`, which cross `/` and `:` alike, and no character classes."""
    expression = "".join({"*": ".*", "?": "."}.get(part, re.escape(part)) for part in re.split(r"([*?])", pattern))
    return re.fullmatch(expression, value, re.DOTALL) is not None


def _arn(value: str, pattern: str) -> bool:
    parts, wanted = value.split(":", 5), pattern.split(":", 5)
    return len(parts) == len(wanted) and all(matches(*pair) for pair in zip(wanted, parts, strict=True))


def _in_network(value: str, network: str) -> bool:
    return ipaddress.ip_address(value) in ipaddress.ip_network(network, strict=False)


OPERATORS: dict[str, Callable[[str, str], bool]] = {
    "StringEquals": lambda value, wanted: value == wanted,
    "StringEqualsIgnoreCase": lambda value, wanted: value.lower() == wanted.lower(),
    "StringLike": lambda value, wanted: matches(wanted, value),
    "Bool": lambda value, wanted: value.lower() == wanted.lower(),
    "ArnEquals": _arn,
    "ArnLike": _arn,
    "IpAddress": _in_network,
    "NumericEquals": lambda value, wanted: float(value) == float(wanted),
    "NumericLessThan": lambda value, wanted: float(value) < float(wanted),
    "NumericLessThanEquals": lambda value, wanted: float(value) <= float(wanted),
    "NumericGreaterThan": lambda value, wanted: float(value) > float(wanted),
    "NumericGreaterThanEquals": lambda value, wanted: float(value) >= float(wanted),
}
NEGATIVE = {
    "StringNotEquals": "StringEquals",
    "StringNotEqualsIgnoreCase": "StringEqualsIgnoreCase",
    "StringNotLike": "StringLike",
    "ArnNotEquals": "ArnEquals",
    "ArnNotLike": "ArnLike",
    "NotIpAddress": "IpAddress",
    "NumericNotEquals": "NumericEquals",
}


def as_list(value: Any) -> list[Any]:
    return list(value) if isinstance(value, list | tuple) else [value]

"""What balancers, target groups, listeners and rules have in common: names, attributes, tags, actions."""

from collections.abc import Iterable, Mapping
from typing import Any

from localcloud.provider.call import Call
from localcloud.provider.resource import Args
from localcloud.provider.rules import arn, between, length, matches, one_of
from localcloud.provider.schema import Autoname, Field, Fields, block, blocks, boolean, integer, text
from localcloud.provider.shape import from_aws, to_aws
from localcloud.provider.tags import from_pairs, pairs
from localcloud.provider.tags import retag as by_calls

TARGET_GROUP = arn("elasticloadbalancing")
NAME = text(
    length(1, 32),
    matches(r"[a-zA-Z0-9](?:[a-zA-Z0-9-]*[a-zA-Z0-9])?", "consist of letters, digits and inner hyphens"),
    matches(r"(?!internal-).*", "not begin with internal-"),
    replace=True,
    computed=True,
    autoname=Autoname(),
)
FORWARD: Fields = {
    "targetGroups": blocks(
        {
            "arn": text(TARGET_GROUP, required=True, aws="TargetGroupArn"),
            "weight": integer(between(0, 999), computed=True),
        },
        required=True,
        unordered=True,
    ),
    "stickiness": block(
        {
            "duration": integer(between(1, 604800), required=True, aws="DurationSeconds"),
            "enabled": boolean(default=False),
        },
        computed=True,
        aws="TargetGroupStickinessConfig",
    ),
}
FIXED: Fields = {
    "contentType": text(
        one_of("text/plain", "text/css", "text/html", "application/javascript", "application/json"), required=True
    ),
    "messageBody": text(length(0, 1024)),
    "statusCode": text(matches(r"[245]\d\d", "be 2xx, 4xx or 5xx"), computed=True),
}
REDIRECT: Fields = {
    "statusCode": text(one_of("HTTP_301", "HTTP_302"), required=True),
    "host": text(length(1, 128), default="#{host}"),
    "path": text(length(1, 128), default="/#{path}"),
    "port": text(default="#{port}"),
    "protocol": text(one_of("#{protocol}", "HTTP", "HTTPS"), default="#{protocol}"),
    "query": text(length(0, 128), default="#{query}"),
}
ACTION: Fields = {
    "type": text(one_of("forward", "redirect", "fixed-response"), required=True),
    "order": integer(between(1, 50000), computed=True),
    "targetGroupArn": text(TARGET_GROUP, computed=True),
    "forward": block(FORWARD, computed=True, aws="ForwardConfig"),
    "fixedResponse": block(FIXED, aws="FixedResponseConfig"),
    "redirect": block(REDIRECT, aws="RedirectConfig"),
}
NEEDED = {"redirect": "redirect", "fixed-response": "fixedResponse"}


def actions_field(**options: Any) -> Field:
    return blocks(ACTION, required=True, **options)


def actions_out(actions: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """To the API. An order is given only when there are several."""
    out = [to_aws(ACTION, action) for action in actions]
    if len(out) > 1:
        for index, action in enumerate(out, 1):
            action.setdefault("Order", index)
    return out


def actions_in(actions: list[dict[str, Any]]) -> list[dict[str, Any]]:
    found = [from_aws(ACTION, action) for action in sorted(actions, key=lambda action: action.get("Order", 0))]
    for action in found:
        targets = (action.get("forward") or {}).get("targetGroups") or []
        if len(targets) == 1:
            action.setdefault("targetGroupArn", targets[0]["arn"])
    return found


def action_problems(name: str, actions: Any) -> Iterable[tuple[str, str]]:
    for index, action in enumerate(actions if isinstance(actions, list) else []):
        kind = action.get("type")
        needed = NEEDED.get(kind)
        if needed and action.get(needed) is None:
            yield f"{name}[{index}].{needed}", f"an action of type {kind} needs it"
        if kind == "forward":
            if action.get("forward") is None and action.get("targetGroupArn") is None:
                yield f"{name}[{index}].targetGroupArn", "an action of type forward needs a target group"
            if action.get("forward") is not None and action.get("targetGroupArn") is not None:
                yield f"{name}[{index}].forward", "conflicts with targetGroupArn"


def retag(call: Call, arn: str, old: Args, new: Args) -> None:
    client = call.client("elbv2")
    by_calls(
        old,
        new,
        lambda keys: client.remove_tags(ResourceArns=[arn], TagKeys=keys),
        lambda tags: client.add_tags(ResourceArns=[arn], Tags=tags),
    )


def tags(call: Call, arn: str) -> dict[str, str]:
    described = call.client("elbv2").describe_tags(ResourceArns=[arn])["TagDescriptions"]
    return from_pairs(described[0]["Tags"]) if described else {}


def tagged(args: Args) -> dict[str, Any]:
    """The `Tags` argument of a call that makes something; the API refuses an empty list."""
    return {"Tags": pairs(args["tagsAll"])} if args.get("tagsAll") else {}


class Attributes:
    """Inputs that the API keeps as key-value attributes. Only those that differ are written."""

    def __init__(self, keys: Mapping[str, str], fields: Fields) -> None:
        self._keys = keys
        self._fields = fields

    def differing(self, have: Iterable[Mapping[str, str]], args: Args) -> list[dict[str, str]]:
        now = {each["Key"]: each["Value"] for each in have}
        given = {key: _text(args[name]) for name, key in self._keys.items() if args.get(name) is not None}
        return [{"Key": key, "Value": value} for key, value in given.items() if now.get(key) != value]

    def read(self, have: Iterable[Mapping[str, str]]) -> dict[str, Any]:
        now = {each["Key"]: each["Value"] for each in have}
        return {
            name: _typed(self._fields[name], now[key]) if key in now else self._fields[name].default
            for name, key in self._keys.items()
        }


def _text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _typed(spec: Field, value: str) -> Any:
    if spec.kind == "boolean":
        return value == "true"
    return int(value) if spec.kind == "integer" else value

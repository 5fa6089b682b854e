"""Listener rules: which requests go where, in order of priority."""

from collections.abc import Iterable
from typing import Any

from localcloud.provider.call import Call
from localcloud.provider.resource import Args, Resource, State
from localcloud.provider.rules import arn, between, cidr, length
from localcloud.provider.schema import TAGS, Fields, block, blocks, integer, text, texts
from localcloud.provider.shape import from_aws, to_aws
from localcloud.provider.types.lb.common import (
    action_problems,
    actions_field,
    actions_in,
    actions_out,
    retag,
    tagged,
    tags,
)
from localcloud.provider.values import UNKNOWN

VALUES_PER_RULE = 5
FIRST_FREE_ATTEMPTS = 5
VALUES: Fields = {"values": texts(length(1, 128), unordered=True)}
CONDITION: Fields = {
    "hostHeader": block(VALUES, aws="HostHeaderConfig"),
    "httpHeader": block({"httpHeaderName": text(length(1, 40), required=True), **VALUES}, aws="HttpHeaderConfig"),
    "httpRequestMethod": block(
        {"values": texts(length(1, 40), required=True, unordered=True)}, aws="HttpRequestMethodConfig"
    ),
    "pathPattern": block(VALUES, aws="PathPatternConfig"),
    "queryStrings": blocks({"key": text(), "value": text(required=True)}, unordered=True),
    "sourceIp": block({"values": texts(cidr(), unordered=True)}, aws="SourceIpConfig"),
}
KINDS = {
    "hostHeader": "host-header",
    "httpHeader": "http-header",
    "httpRequestMethod": "http-request-method",
    "pathPattern": "path-pattern",
    "queryStrings": "query-string",
    "sourceIp": "source-ip",
}


class ListenerRule(Resource):
    token = "aws:lb/listenerRule:ListenerRule"
    inputs = {
        "listenerArn": text(arn("elasticloadbalancing"), required=True, replace=True),
        "priority": integer(between(1, 50000), computed=True),
        "actions": actions_field(),
        "conditions": blocks(CONDITION, required=True, unordered=True),
        **TAGS,
    }
    outputs = ("arn",)

    def check(self, args: Args) -> Iterable[tuple[str, str]]:
        yield from action_problems("actions", args["actions"])
        conditions = args["conditions"]
        if conditions is UNKNOWN:
            return
        if not conditions:
            yield "conditions", "a rule needs at least one"
        total = 0
        for index, condition in enumerate(conditions):
            given = [name for name in CONDITION if condition.get(name) is not None]
            if len(given) != 1:
                yield f"conditions[{index}]", f"a condition is of exactly one kind, not {len(given)}"
            for name in given:
                total += _count(condition[name])
        if total > VALUES_PER_RULE:
            yield "conditions", f"{total} values are more than the {VALUES_PER_RULE} that a rule may have"

    def create(self, call: Call, args: Args) -> str:
        client = call.client("elbv2")
        what = {
            "ListenerArn": args["listenerArn"],
            "Conditions": [_out(each) for each in args["conditions"]],
            "Actions": actions_out(args["actions"]),
            **tagged(args),
        }
        if args.get("priority") is not None:
            made = client.create_rule(Priority=args["priority"], **what)
        else:
            made = self._create_last(call, what)
        return str(made["Rules"][0]["RuleArn"])

    def _create_last(self, call: Call, what: dict[str, Any]) -> Any:
        """After all others; another rule may be made at the same moment."""
        client = call.client("elbv2")
        for attempt in range(FIRST_FREE_ATTEMPTS):
            rules = client.describe_rules(ListenerArn=what["ListenerArn"])["Rules"]
            taken = [int(rule["Priority"]) for rule in rules if rule["Priority"] != "default"]
            try:
                return client.create_rule(Priority=max(taken, default=0) + 1, **what)
            except client.exceptions.PriorityInUseException:
                if attempt == FIRST_FREE_ATTEMPTS - 1:
                    raise
        return None

    def read(self, call: Call, id: str, state: State) -> dict[str, Any] | None:
        rules = call.client("elbv2").describe_rules(RuleArns=[id])["Rules"]
        if not rules:
            return None
        rule = rules[0]
        return {
            "arn": id,
            "listenerArn": "/".join(id.replace(":listener-rule/", ":listener/").split("/")[:-1]),
            "priority": int(rule["Priority"]),
            "actions": actions_in(rule["Actions"]),
            "conditions": [_in(each) for each in rule["Conditions"]],
            "tagsAll": tags(call, id),
        }

    def update(self, call: Call, id: str, old: State, new: Args, changed: frozenset[str]) -> None:
        client = call.client("elbv2")
        if "priority" in changed:
            client.set_rule_priorities(RulePriorities=[{"RuleArn": id, "Priority": new["priority"]}])
        change: dict[str, Any] = {}
        if "actions" in changed:
            change["Actions"] = actions_out(new["actions"])
        if "conditions" in changed:
            change["Conditions"] = [_out(each) for each in new["conditions"]]
        if change:
            client.modify_rule(RuleArn=id, **change)
        retag(call, id, old, new)

    def delete(self, call: Call, id: str, state: State) -> None:
        call.client("elbv2").delete_rule(RuleArn=id)


def _count(value: Any) -> int:
    if isinstance(value, dict):
        value = value.get("values")
    return len(value) if isinstance(value, list) else 1


def _out(condition: dict[str, Any]) -> dict[str, Any]:
    name = next(name for name in CONDITION if condition.get(name) is not None)
    if name == "queryStrings":
        pairs = [{key.capitalize(): text for key, text in each.items()} for each in condition[name]]
        return {"Field": KINDS[name], "QueryStringConfig": {"Values": pairs}}
    return {"Field": KINDS[name], **to_aws({name: CONDITION[name]}, condition)}


def _in(condition: dict[str, Any]) -> dict[str, Any]:
    field = condition["Field"]
    name = next(name for name, kind in KINDS.items() if kind == field)
    if name == "queryStrings":
        values = condition["QueryStringConfig"]["Values"]
        return {name: [{key.lower(): text for key, text in each.items()} for each in values]}
    found = from_aws({name: CONDITION[name]}, condition)
    if not found:  # host-header and path-pattern may come in the older form
        found = {name: {"values": condition.get("Values") or []}}
    return found

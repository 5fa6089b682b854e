"""The metric of a scaling policy that brings its own: what CloudWatch was told last, put together by an expression.

Of AWS's metric math as much as such a policy wants: ids, numbers, + - * / and parentheses. Moto computes none of it.
Fixed when moto's GetMetricData computes `queued / nodes`.
https://docs.aws.amazon.com/autoscaling/ec2/userguide/ec2-auto-scaling-target-tracking-metric-math.html
"""

import ast
import operator
from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from typing import Any

from moto.cloudwatch.models import Metric, MetricDataQuery, MetricStat
from moto.core.utils import utcnow

Query = Mapping[str, Any]

OPERATORS: dict[type[ast.operator], Callable[[float, float], float]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
}
CURRENT = timedelta(seconds=90)
"""Who tells CloudWatch does so by a real minute, however short the minutes are here."""
GROUP_METRICS, IN_SERVICE, BY_GROUP = "AWS/AutoScaling", "GroupInServiceInstances", "AutoScalingGroupName"


def problem(queries: Sequence[Query]) -> str:
    """Why AWS would refuse them; empty when it would not."""
    if [query.get("ReturnData", True) for query in queries].count(True) != 1:
        return "exactly one of the metrics must return data"
    known = {str(query["Id"]) for query in queries}
    for query in queries:
        if ("Expression" in query) == ("MetricStat" in query):
            return f"{query['Id']} must have either an expression or a metric"
        if "Expression" in query:
            try:
                compute(query["Expression"], dict.fromkeys(known, 1.0))
            except (ValueError, ZeroDivisionError) as error:
                return f"{query['Id']}: {error}"
    return ""


def compute(expression: str, values: Mapping[str, float]) -> float:
    """Raises `ValueError` for what it does not know."""
    try:
        return _value(ast.parse(expression, mode="eval").body, values)
    except SyntaxError as error:
        raise ValueError(f"{expression!r} is no expression") from error


def _value(node: ast.AST, values: Mapping[str, float]) -> float:
    match node:
        case ast.BinOp(left=left, op=kind, right=right) if type(kind) in OPERATORS:
            return OPERATORS[type(kind)](_value(left, values), _value(right, values))
        case ast.Name(id=name) if name in values:
            return values[name]
        case ast.Constant(value=int() | float() as number):
            return float(number)
    raise ValueError(f"{ast.unparse(node)!r} is not known here")


def now(queries: Sequence[Query], told: Sequence[Any], group: Any, in_service: int) -> float | None:
    """What returns data, of this minute; None while one of its metrics is missing, or it would divide by zero.

    `told` is what CloudWatch was told, oldest first. `in_service` is of the group, for the one metric of groups that
    policies go by, where the group counts it.
    """
    values: dict[str, float] = {}
    for query in sorted(queries, key=lambda query: "Expression" in query):
        if "Expression" in query:
            try:
                values[query["Id"]] = compute(query["Expression"], values)
            except (ValueError, ZeroDivisionError):
                return None
        elif (found := _last(query["MetricStat"]["Metric"], told, group, in_service)) is not None:
            values[query["Id"]] = found
    return next((values.get(query["Id"]) for query in queries if query.get("ReturnData", True)), None)


def _last(metric: Query, told: Sequence[Any], group: Any, in_service: int) -> float | None:
    wanted = {each["Name"]: each["Value"] for each in metric.get("Dimensions") or []}
    if (metric["Namespace"], metric["MetricName"], wanted) == (GROUP_METRICS, IN_SERVICE, {BY_GROUP: group.name}):
        return float(in_service) if IN_SERVICE in group.metrics else None
    for datum in reversed(told):
        named = (datum.namespace, datum.name, {each.name: each.value for each in datum.dimensions})
        if named == (metric["Namespace"], metric["MetricName"], wanted):
            age = utcnow() - datum.timestamp.replace(tzinfo=None)
            return float(datum.value) if age < CURRENT else None
    return None


def of_alarm(queries: Sequence[Query]) -> list[MetricDataQuery]:
    """As moto keeps them with an alarm."""
    return [
        MetricDataQuery(
            query_id=query["Id"],
            label=query.get("Label", ""),
            period="60",
            return_data=str(query.get("ReturnData", True)).lower(),
            expression=query.get("Expression"),
            metric_stat=_stat(query["MetricStat"]) if "MetricStat" in query else None,
        )
        for query in queries
    ]


def _stat(given: Query) -> MetricStat:
    metric = given["Metric"]
    named = Metric(metric["MetricName"], metric["Namespace"], list(metric.get("Dimensions") or []))
    return MetricStat(metric=named, period="60", stat=given["Stat"], unit=given.get("Unit", ""))

"""The metric of a policy that brings its own, from what CloudWatch was told."""

from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from moto.cloudwatch.models import MetricDatum
from moto.core.utils import utcnow

from localcloud.gaps.metric_math import compute, now, problem

GROUP = SimpleNamespace(name="workers", metrics=["GroupInServiceInstances"])


def stat(id: str, namespace: str, name: str, **dimensions: str) -> dict[str, Any]:
    named = [{"Name": key, "Value": value} for key, value in dimensions.items()]
    metric = {"Namespace": namespace, "MetricName": name, "Dimensions": named}
    return {"Id": id, "MetricStat": {"Metric": metric, "Stat": "Average"}, "ReturnData": False}


QUEUED = stat("queued", "Slipway", "JobsQueued", Stack="local")
NODES = stat("nodes", "AWS/AutoScaling", "GroupInServiceInstances", AutoScalingGroupName="workers")
EACH = {"Id": "each", "Expression": "queued / nodes"}
QUERIES = [EACH, QUEUED, NODES]


def told(value: float, stack: str = "local", age: float = 0) -> MetricDatum:
    where, when = [{"Name": "Stack", "Value": stack}], utcnow() - timedelta(seconds=age)
    return MetricDatum("Slipway", "JobsQueued", value, where, when)


def test_it_is_the_last_that_was_told_by_the_nodes_in_service() -> None:
    assert now(QUERIES, [told(10), told(90), told(7, stack="other")], GROUP, 3) == 30


@pytest.mark.parametrize(
    ("data", "nodes"), [([], 3), ([told(9, age=100)], 3), ([told(9)], 0)], ids=["nothing", "stale", "no node"]
)
def test_what_is_missing_is_no_number(data: list[MetricDatum], nodes: int) -> None:
    assert now(QUERIES, data, GROUP, nodes) is None


def test_a_group_that_counts_nothing_has_no_such_metric() -> None:
    assert now(QUERIES, [told(9)], SimpleNamespace(name="workers", metrics=[]), 3) is None


def test_expressions_are_computed_as_they_stand() -> None:
    assert compute("2 * (a + b) / 4 - 0.5", {"a": 1, "b": 4}) == 2.0


@pytest.mark.parametrize(
    ("queries", "says"),
    [
        ([QUEUED, NODES], "exactly one of the metrics must return data"),
        ([EACH, {**EACH, "Id": "other"}, QUEUED, NODES], "exactly one of the metrics must return data"),
        ([EACH, QUEUED], "'nodes' is not known here"),
        ([{**EACH, "Expression": "FILL(queued, 0)"}, QUEUED], "'FILL(queued, 0)' is not known here"),
        ([{**EACH, "Expression": "queued /"}, QUEUED], "is no expression"),
        ([{"Id": "each"}], "must have either an expression or a metric"),
    ],
)
def test_what_cannot_be_computed_is_refused(queries: list[dict[str, Any]], says: str) -> None:
    assert says in problem(queries)
    assert problem(QUERIES) == ""

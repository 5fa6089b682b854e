"""The dashboard in docs/ asks only for metrics and labels that the server has."""

import json
import re
from itertools import combinations
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from .conftest import CHECKOUT, Serve

DASHBOARD = json.loads((CHECKOUT / "docs" / "dashboard.json").read_text())
BY_PROMETHEUS = {"instance", "le"}
SUFFIXES = {"counter": ("_total",), "histogram": ("_bucket", "_sum", "_count")}


def expressions() -> list[str]:
    targets = [target["expr"] for panel in DASHBOARD["panels"] for target in panel["targets"]]
    notes = [note["expr"] for note in DASHBOARD["annotations"]["list"]]
    variables = [each["definition"] for each in DASHBOARD["templating"]["list"] if each["type"] == "query"]
    return targets + notes + variables


@pytest.fixture
def metrics(serve: Serve) -> dict[str, set[str]]:
    """Names as they are queried, with the labels that were seen on them."""
    client = serve("scaled")
    client.post("/predict", json={"x": 1.0})
    client.post("/predict", json={"y": 1.0})
    found: dict[str, set[str]] = {}
    for family in text_string_to_metric_families(client.get("/metrics").text):
        for suffix in SUFFIXES.get(family.type, ("",)):
            found[f"{family.name}{suffix}"] = set()
        for sample in family.samples:
            found.setdefault(sample.name, set()).update(sample.labels)
    return found


def test_every_metric_of_the_dashboard_exists(metrics: dict[str, set[str]]) -> None:
    asked = {name for text in expressions() for name in re.findall(r"\bslipway_\w+", text)}
    assert len(asked) > 15
    assert asked <= metrics.keys()


def test_every_family_is_on_the_dashboard(metrics: dict[str, set[str]]) -> None:
    asked = " ".join(expressions())
    families = {re.sub(r"_(bucket|sum|count|total)$", "", name) for name in metrics}
    assert {name for name in families if name not in asked} <= {"slipway_model_compiled"}


def test_the_documented_metrics_are_the_servers(metrics: dict[str, set[str]]) -> None:
    documented = set(re.findall(r"\bslipway_\w+", (CHECKOUT / "docs" / "server.md").read_text()))
    families = {re.sub(r"_(bucket|sum|count)$", "", name) for name in metrics}
    assert documented == families


def test_every_label_of_a_selector_or_a_grouping_exists(metrics: dict[str, set[str]]) -> None:
    for text in expressions():
        for name, selector in re.findall(r"\b(slipway_\w+)\{([^}]*)\}", text):
            labels = set(re.findall(r"(\w+)\s*(?:=~|!=|!~|=)", selector)) - BY_PROMETHEUS
            assert labels <= metrics[name] or not metrics[name], (text, labels - metrics[name])
        for grouping, name in re.findall(r"by \(([^)]*)\) \((?:\w+\()*(slipway_\w+)", text):
            labels = set(grouping.split(", ")) - BY_PROMETHEUS
            assert labels <= metrics[name] or not metrics[name], (text, labels - metrics[name])


def test_braces_and_brackets_of_every_expression_are_balanced() -> None:
    for text in expressions():
        for opening, closing in ("()", "{}", "[]"):
            assert text.count(opening) == text.count(closing), text


def test_panels_have_their_own_ids_and_places() -> None:
    panels = DASHBOARD["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels)
    for one, other in combinations([panel["gridPos"] for panel in panels], 2):
        assert not _overlap(one, other), (one, other)


def _overlap(one: Any, other: Any) -> bool:
    beside = one["x"] + one["w"] <= other["x"] or other["x"] + other["w"] <= one["x"]
    above = one["y"] + one["h"] <= other["y"] or other["y"] + other["h"] <= one["y"]
    return not (beside or above)

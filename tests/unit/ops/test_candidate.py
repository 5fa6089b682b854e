"""What two manifests and a measurement tell of a candidate, before any node is touched."""

from dataclasses import dataclass
from typing import Any

import pytest

from ops import candidate
from tests.unit.ops.test_signature import AGE, SEX, of


@dataclass(frozen=True)
class Bounds:
    answer_milliseconds: int = 100
    require_example: bool = True
    require_signature: bool = True
    metric: str | None = None
    metric_goal: str = "lower"
    metric_margin: float = 0.0


def model(version: str = "2", **more: Any) -> dict[str, Any]:
    evidence = {"expected": {"input": {}, "output": {}}, "signature": of(AGE)}
    return {"name": "iris", "version": version, "digest": version * 64, **evidence, **more}


def manifest(*models: dict[str, Any]) -> dict[str, Any]:
    return {"schema": 1, "release": "0" * 64, "models": list(models)}


def reasons(
    new: dict[str, Any],
    served: dict[str, Any] | None = None,
    measured: dict[str, float] | None = None,
    bounds: Bounds | None = None,
) -> list[str]:
    found = candidate.compare(
        manifest(new),
        manifest(*([served] if served else [])),
        {"iris/2": measured} if measured else {},
        bounds or Bounds(),
    )
    return [str(each) for each in found]


def test_a_first_version_has_nothing_to_be_compared_with() -> None:
    assert reasons(model(), bounds=Bounds(metric="rmse")) == []


def test_a_model_without_example_or_signature_is_refused_unless_the_settings_allow_it() -> None:
    bare = model(expected=None, signature=None)
    assert [each.partition(":")[2].split(",")[0].partition(":")[0] for each in reasons(bare)] == [
        " it has no input example",
        " it has no signature",
    ]
    assert reasons(bare, bounds=Bounds(require_example=False, require_signature=False)) == []


def test_what_cannot_be_checked_is_said() -> None:
    assert len(candidate.unchecked(manifest(model(expected=None, signature=None)))) == 3
    assert candidate.unchecked(manifest(model(golden={"input": {}}))) == []


def test_a_signature_that_breaks_callers_is_refused() -> None:
    (only,) = reasons(model(signature=of(AGE, SEX)), model("1"))
    assert only.startswith("iris/2: it breaks the callers of version 1: input sex is new and required")
    assert "--breaking" in only


def test_a_deployment_may_say_that_it_breaks_callers() -> None:
    assert reasons(model(signature=of(AGE, SEX), breaking=True), model("1")) == []


@pytest.mark.parametrize(
    ("measured", "refused"),
    [
        ({"row_ms": 99.0}, False),
        ({"row_ms": 101.0}, True),
        ({"row_ms": 1.0, "golden_ms": 900.0, "golden_rows": 10}, False),
        ({"row_ms": 1.0, "golden_ms": 1100.0, "golden_rows": 10}, True),
        ({}, False),
    ],
)
def test_the_latency_budget(measured: dict[str, float], refused: bool) -> None:
    assert bool(reasons(model(), measured=measured)) is refused


@pytest.mark.parametrize(
    ("goal", "margin", "before", "now", "refused"),
    [
        ("lower", 0.0, 1.0, 1.0, False),
        ("lower", 0.0, 1.0, 0.9, False),
        ("lower", 0.0, 1.0, 1.1, True),
        ("lower", 0.2, 1.0, 1.1, False),
        ("lower", 0.2, 1.0, 1.3, True),
        ("higher", 0.0, 0.8, 0.9, False),
        ("higher", 0.0, 0.8, 0.7, True),
        ("higher", 0.2, 0.8, 0.7, False),
        ("lower", 0.0, None, 5.0, False),
        ("lower", 0.0, 1.0, None, True),
    ],
)
def test_the_metric_may_not_be_worse(
    goal: str, margin: float, before: float | None, now: float | None, refused: bool
) -> None:
    def logged(value: float | None) -> dict[str, float]:
        return {} if value is None else {"rmse": value}

    bounds = Bounds(metric="rmse", metric_goal=goal, metric_margin=margin)
    found = reasons(model(metrics=logged(now)), model("1", metrics=logged(before)), bounds=bounds)
    assert bool(found) is refused


def test_the_same_version_again_is_not_compared_with_itself() -> None:
    again = model(metrics={}, signature=of(AGE))
    assert reasons(again, model(metrics={"rmse": 1.0}), bounds=Bounds(metric="rmse")) == []


def test_other_models_are_not_compared_with_this_one() -> None:
    other = {**model("1", signature=of(AGE, SEX)), "name": "wine"}
    assert reasons(model(), other) == []

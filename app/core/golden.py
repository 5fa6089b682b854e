"""How well a model does on its golden set: the release's answers when the deployment was made, against the truth."""

import math
from dataclasses import dataclass
from typing import Any

CLASSES_AT_MOST = 20  # more kinds of whole numbers than this are amounts, not classes


@dataclass(frozen=True)
class Verdict:
    """`pairs` are (true, predicted). `classes` is None for a regression; otherwise the labels, sorted."""

    pairs: tuple[tuple[Any, Any], ...]
    measures: dict[str, float]
    classes: tuple[Any, ...] | None


def verdict(output: Any, targets: Any) -> Verdict | None:
    """None where there is nothing to compare: no targets, or answers that are no single value per row."""
    predictions = output.get("predictions") if isinstance(output, dict) else None
    if not isinstance(predictions, list) or not isinstance(targets, list) or not targets:
        return None
    if len(predictions) != len(targets) or not all(map(_is_scalar, [*predictions, *targets])):
        return None
    pairs = tuple(zip(targets, predictions, strict=True))
    labels = {value for pair in pairs for value in pair}
    if any(isinstance(value, float) for value in labels) or len(labels) > CLASSES_AT_MOST:
        numbers = all(_is_number(value) for value in labels)
        return Verdict(pairs, _errors(pairs), None) if numbers else Verdict(pairs, _hits(pairs), ())
    return Verdict(pairs, _hits(pairs), tuple(sorted(labels, key=lambda label: (str(type(label)), label))))


def _hits(pairs: tuple[tuple[Any, Any], ...]) -> dict[str, float]:
    return {"accuracy": sum(true == predicted for true, predicted in pairs) / len(pairs)}


def _errors(pairs: tuple[tuple[float, float], ...]) -> dict[str, float]:
    """R² is left out where the true values are all the same: nothing is there to explain."""
    misses = [predicted - true for true, predicted in pairs]
    squares = math.fsum(miss * miss for miss in misses)
    mean = math.fsum(true for true, _ in pairs) / len(pairs)
    spread = math.fsum((true - mean) ** 2 for true, _ in pairs)
    measures = {
        "mean absolute error": math.fsum(map(abs, misses)) / len(pairs),
        "root mean squared error": math.sqrt(squares / len(pairs)),
    }
    return {**measures, "R²": 1 - squares / spread} if spread else measures


def _is_scalar(value: Any) -> bool:
    return isinstance(value, str | bool) or _is_number(value)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)

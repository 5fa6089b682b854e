"""Whether two JSON answers agree: numbers within a tolerance, everything else exactly.

The gate of an activation rests on this, so it names the first place that differs.
"""

import math
from typing import Any


def difference(actual: Any, expected: Any, tolerance: float, place: str = "answer") -> str | None:
    """None when they agree, else one sentence about the first difference. The tolerance is absolute and relative."""
    if isinstance(actual, dict) and isinstance(expected, dict):
        return _objects(actual, expected, tolerance, place)
    if isinstance(actual, list) and isinstance(expected, list):
        return _lists(actual, expected, tolerance, place)
    if _is_number(actual) and _is_number(expected):
        return None if _close(actual, expected, tolerance) else _say(actual, expected, place, tolerance)
    return None if type(actual) is type(expected) and actual == expected else _say(actual, expected, place)


def _objects(actual: dict[str, Any], expected: dict[str, Any], tolerance: float, place: str) -> str | None:
    if actual.keys() != expected.keys():
        return f"{place} has the keys {sorted(actual)}, expected {sorted(expected)}"
    found = (difference(actual[key], expected[key], tolerance, f"{place}.{key}") for key in expected)
    return next(filter(None, found), None)


def _lists(actual: list[Any], expected: list[Any], tolerance: float, place: str) -> str | None:
    if len(actual) != len(expected):
        return f"{place} has {len(actual)} items, expected {len(expected)}"
    pairs = enumerate(zip(actual, expected, strict=True))
    found = (difference(a, e, tolerance, f"{place}[{index}]") for index, (a, e) in pairs)
    return next(filter(None, found), None)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _close(actual: float, expected: float, tolerance: float) -> bool:
    if isinstance(actual, int) and isinstance(expected, int):
        return actual == expected  # a class, a count, an id: never "nearly"
    if math.isnan(actual) or math.isnan(expected):
        return math.isnan(actual) and math.isnan(expected)
    return math.isclose(actual, expected, rel_tol=tolerance, abs_tol=tolerance)


def _say(actual: Any, expected: Any, place: str, tolerance: float | None = None) -> str:
    within = "" if tolerance is None else f" within {tolerance:g}"
    return f"{place} is {_short(actual)}, expected {_short(expected)}{within}"


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 80 else f"{text[:77]}..."

"""Numbers as the geometry of inline SVG: pure functions; the templates draw what these return.

Plots stretch with the page, so their text stands outside of them. No style attribute: the page's policy forbids it.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from app.core.golden import Verdict
from app.core.recent import Point, Recent

WIDTH, HEIGHT = 300.0, 100.0  # of a plot over time, before it is stretched
SIDE = 200.0  # of a square one
DOTS_AT_MOST = 400
MARGIN = 0.04  # of the range, so that no dot lies on the frame


@dataclass(frozen=True)
class Bar:
    x: float
    y: float
    width: float
    height: float
    bad: float  # height of the part that stands for errors


@dataclass(frozen=True)
class Traffic:
    """Requests per second as bars, and two latencies as paths, each with the value at its upper edge."""

    bars: tuple[Bar, ...]
    most: float
    median: str
    slow: str
    slowest: float


@dataclass(frozen=True)
class Scatter:
    """Dots of true (x) and predicted (y) values in a square from `low` to `high`."""

    dots: tuple[tuple[float, float], ...]
    low: float
    high: float


def traffic(recent: Recent, step_seconds: int) -> Traffic:
    most = _round_up(max((point.requests for point in recent.points), default=0) / step_seconds)
    slowest = _round_up(max((point.slow or 0.0 for point in recent.points), default=0.0))
    wide = WIDTH / len(recent.points)
    bars = []
    for place, point in enumerate(recent.points):
        if point.requests:
            tall, bad = (HEIGHT * count / step_seconds / most for count in (point.requests, point.errors))
            bars.append(Bar(_round(place * wide), _round(HEIGHT - tall), _round(wide * 0.8), _round(tall), _round(bad)))
    median = path([point.median for point in recent.points], slowest)
    return Traffic(tuple(bars), most, median, path([point.slow for point in recent.points], slowest), slowest)


def path(values: Sequence[float | None], most: float) -> str:
    """An SVG path with a gap for every None; a value that stands alone is a short stroke."""
    wide, commands, drawing = WIDTH / max(len(values), 1), [], False
    for place, value in enumerate(values):
        if value is None:
            drawing = False
            continue
        x, y = _round(place * wide), _round(HEIGHT - HEIGHT * value / most)
        commands.append(f"{'L' if drawing else 'M'}{x} {y}")
        if not drawing:
            commands.append(f"h{_round(wide * 0.8)}")
        drawing = True
    return "".join(commands)


def scatter(verdict: Verdict) -> Scatter:
    """Every n-th pair where there are many."""
    pairs = verdict.pairs[:: -(-len(verdict.pairs) // DOTS_AT_MOST)]
    values = [value for pair in verdict.pairs for value in pair]
    margin = (max(values) - min(values)) * MARGIN or 1.0
    low, high = min(values) - margin, max(values) + margin
    span = high - low
    dots = ((SIDE * (x - low) / span, SIDE - SIDE * (y - low) / span) for x, y in pairs)
    return Scatter(tuple((_round(x), _round(y)) for x, y in dots), low, high)


def matrix(verdict: Verdict) -> list[tuple[Any, list[tuple[int, int]]]]:
    """Of each true class: how often each class was predicted, and that as tenths of the row for the shade."""
    classes, counted = verdict.classes or (), Counter(verdict.pairs)
    rows = []
    for true in classes:
        counts = [counted[true, predicted] for predicted in classes]
        whole = sum(counts) or 1
        rows.append((true, [(count, -(-count * 10 // whole)) for count in counts]))
    return rows


def _round(value: float) -> float:
    return round(value, 2)


def _round_up(value: float) -> float:
    """To one of 1, 2, 5 times a power of ten: the upper edge of an axis. 1 for nothing at all."""
    if value <= 0:
        return 1.0
    power = 10.0 ** (len(str(int(value))) - 1) if value >= 1 else 1.0
    while power > value:
        power /= 10
    return next(power * step for step in (1, 2, 5, 10) if value <= power * step * (1 + 1e-9))


__all__ = ["Bar", "Point", "Scatter", "Traffic", "matrix", "path", "scatter", "traffic"]

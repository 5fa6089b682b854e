"""The last five minutes of a model as points of a plot, out of the meters' ring: how many, how fast, how bad."""

from dataclasses import dataclass

from app.core.meters import RECENT, RING_SECONDS, RING_STEP, SECONDS
from app.core.snapshots import Series, add


@dataclass(frozen=True)
class Point:
    """One step of the ring. The quantiles are seconds, None when nothing was answered."""

    start: int
    requests: int
    errors: int
    median: float | None
    slow: float | None


@dataclass(frozen=True)
class Recent:
    points: tuple[Point, ...]
    total: Point


def recent(series: Series, model: str, now: float) -> Recent:
    """Oldest first, one point per step; `total` is all of them at once."""
    last = int(now) // RING_STEP * RING_STEP
    starts = range(last - RING_SECONDS + RING_STEP, last + 1, RING_STEP)
    mine = {(key[1], key[3]): numbers for key, numbers in series.items() if key[0] == RECENT and key[2] == model}
    points = tuple(
        _point(start, [(kind, n) for (step, kind), n in mine.items() if step == str(start)]) for start in starts
    )
    within = [(kind, numbers) for (step, kind), numbers in mine.items() if int(step) in starts]
    return Recent(points, _point(starts[0], within))


def _point(start: int, answers: list[tuple[str, list[float]]]) -> Point:
    total: Series = {(): [0.0] * (len(SECONDS) + 2)}
    for _, numbers in answers:
        add(total, {(): numbers})
    counts = total[()][:-1]
    errors = sum(sum(numbers[:-1]) for kind, numbers in answers if kind in ("4xx", "5xx"))
    return Point(start, int(sum(counts)), int(errors), quantile(counts, 0.5), quantile(counts, 0.99))


def quantile(counts: list[float], share: float) -> float | None:
    """As Prometheus' histogram_quantile: linear within a bucket, and the last bound for what lies above it."""
    rank, reached = share * sum(counts), 0.0
    if not rank:
        return None
    for place, count in enumerate(counts[:-1]):
        if reached + count >= rank:
            below = SECONDS[place - 1] if place else 0.0
            return below + (SECONDS[place] - below) * (rank - reached) / count
        reached += count
    return SECONDS[-1]

"""Whether a candidate does as well as what is served beside it: a pure comparison of what nodes counted.

A window is what one node counted while it was watched (`slipway-activate observe`). A request that the candidate failed
counts against it also when the deployment before it answered that request, so that no caller noticed.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from ops.rollout.settings import Delivery

QUANTILES = (0.5, 0.95)
SPARE_EXITS = 2
"""Workers that a server may replace by itself in a window, beyond what the others do."""


class Verdict(StrEnum):
    GOOD = "good"
    BAD = "bad"
    INSUFFICIENT = "insufficient"


@dataclass(frozen=True, kw_only=True)
class Window:
    """`errors` are 5xx that callers saw, `rescued` requests that the fallback answered, `slot_errors` those that the
    slot itself answered with 5xx, of which both are part; `wrong` are replayed examples with another answer than
    expected. `buckets` are cumulative counts by upper bound in seconds, the last one without bound."""

    deployment: str
    seconds: float
    requests: int
    errors: int = 0
    rescued: int = 0
    slot_errors: int = 0
    wrong: int = 0
    exits: int = 0
    restarts: int = 0
    buckets: list[tuple[float, float]] = field(default_factory=list)

    @classmethod
    def read(cls, data: dict[str, Any]) -> "Window":
        """From what a node printed; more than is known here may be in it."""
        known = {key: value for key, value in data.items() if key in cls.__dataclass_fields__}
        buckets = [(float(bound), float(count)) for bound, count in data.get("buckets", [])]
        return cls(**{**known, "buckets": buckets})

    @property
    def failed(self) -> int:
        return max(self.errors + self.rescued, self.slot_errors) + self.wrong


@dataclass(frozen=True)
class Judgement:
    verdict: Verdict
    reasons: list[str]


def judge(deployment: str, candidates: Sequence[Window], others: Sequence[Window], bounds: Delivery) -> Judgement:
    """`others` may be empty, when every node has the candidate: then the bounds hold by themselves."""
    if reasons := list(_elsewhere(deployment, candidates)):
        return Judgement(Verdict.BAD, reasons)
    ours, theirs = merged(candidates), merged(others)
    if reasons := [*_crashes(ours, theirs), *_failures(ours, theirs, bounds), *_slowness(ours, theirs, bounds)]:
        return Judgement(Verdict.BAD, reasons)
    if ours.requests < bounds.minimum_requests:
        few = f"{ours.requests} requests, {bounds.minimum_requests} are wanted"
        return Judgement(Verdict.INSUFFICIENT, [few])
    return Judgement(Verdict.GOOD, [])


def merged(windows: Sequence[Window]) -> Window:
    """What they counted together; of replaced workers and restarts the most that any of them had."""
    bounds = sorted({bound for window in windows for bound, _ in window.buckets})
    counted = [dict(window.buckets) for window in windows]
    totals: dict[str, int] = {
        name: sum(getattr(window, name) for window in windows)
        for name in ("requests", "errors", "rescued", "slot_errors", "wrong")
    }
    return Window(
        deployment=windows[0].deployment if windows else "",
        seconds=max((window.seconds for window in windows), default=0.0),
        exits=max((window.exits for window in windows), default=0),
        restarts=max((window.restarts for window in windows), default=0),
        buckets=[(bound, sum(one.get(bound, 0.0) for one in counted)) for bound in bounds],
        **totals,
    )


def quantile(window: Window, share: float) -> float | None:
    """Seconds, interpolated in the bucket that holds it; None when nothing was counted."""
    total = window.buckets[-1][1] if window.buckets else 0.0
    if total <= 0:
        return None
    rank, low, below = share * total, 0.0, 0.0
    for bound, reached in window.buckets:
        if reached >= rank:
            if bound == float("inf"):
                return low
            return low + (bound - low) * (rank - below) / (reached - below) if reached > below else bound
        low, below = bound, reached
    return low


def _elsewhere(deployment: str, candidates: Sequence[Window]) -> Iterator[str]:
    """A node that waited for its controller past the deadline has gone back to what the pointer says."""
    for window in candidates:
        if window.deployment != deployment:
            yield f"a node that had moved to it serves {window.deployment} again: it has gone back by itself"


def _crashes(ours: Window, theirs: Window) -> Iterator[str]:
    if ours.restarts > theirs.restarts:
        yield f"its server was started again {ours.restarts} times"
    if ours.exits > theirs.exits + SPARE_EXITS:
        yield f"{ours.exits} of its workers ended, {theirs.exits} of the others'"


def _failures(ours: Window, theirs: Window, bounds: Delivery) -> Iterator[str]:
    share, usual = _share(ours), _share(theirs)
    if ours.failed and share > usual + bounds.error_rate:
        parts = {"by errors": ours.errors, "answered by the version before": ours.rescued, "wrongly": ours.wrong}
        said = ", ".join(f"{count} {how}" for how, count in parts.items() if count) or "5xx"
        yield (
            f"it failed {ours.failed} of {max(ours.requests, ours.failed)} requests ({said}), {share:.1%}; "
            f"the others {usual:.1%}, allowed are {bounds.error_rate:.1%} more"
        )


def _share(window: Window) -> float:
    return window.failed / max(window.requests, window.failed, 1)


def _slowness(ours: Window, theirs: Window, bounds: Delivery) -> Iterator[str]:
    """Quantiles of few requests say nothing, on either side."""
    if min(_timed(ours), _timed(theirs)) < max(bounds.minimum_requests, 1):
        return
    for share in QUANTILES:
        mine, usual = quantile(ours, share), quantile(theirs, share)
        if mine is None or usual is None or mine * 1000 <= bounds.latency_milliseconds:
            continue
        if mine > usual * bounds.latency_ratio:
            yield (
                f"{share:.0%} of its requests took up to {mine * 1000:.0f} ms, the others' {usual * 1000:.0f} ms: "
                f"more than {bounds.latency_ratio:g} times as long"
            )


def _timed(window: Window) -> float:
    return window.buckets[-1][1] if window.buckets else 0.0

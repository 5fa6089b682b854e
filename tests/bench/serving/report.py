"""What a run found, as text for people and as JSON for later: pure functions of the medians."""

import dataclasses
import math
from collections.abc import Mapping, Sequence
from typing import Any

from tests.bench.serving.measure import Cell
from tests.bench.serving.models import CASES
from tests.bench.serving.overload import Overload
from tests.bench.serving.servers import MLFLOW
from tests.bench.serving.slipway import COMPILED, ECHO, NATIVE
from tests.bench.serving.targets import Goal, Key

NAME = 28


def table(cells: Mapping[Key, Cell]) -> str:
    """A block per model: a line per server, and per number of connections its rate, ratio, p50, p99 and errors."""
    return "\n\n".join(
        _block(case.name, case.what, {server: cell for (name, server), cell in cells.items() if name == case.name})
        for case in CASES
        if any(name == case.name for name, _ in cells)
    )


def _block(name: str, what: str, cells: Mapping[str, Cell]) -> str:
    connections = sorted({at for cell in cells.values() for at in cell.loads})
    base = cells.get(MLFLOW)
    head = f"{'server':<{NAME}}" + "".join(
        f" | {f'{at}: req/s':>9} {'ratio':>6} {'p50 ms':>7} {'p99 ms':>7}" for at in connections
    )
    lines = [f"{name}: {what}", f"{head} | {'errors':>6} {'MiB':>5} {'ready s':>7}"]
    for server, cell in cells.items():
        columns = "".join(f" | {_columns(cell, base, at)}" for at in connections)
        errors = sum(load.errors for load in cell.loads.values())
        lines.append(f"{server:<{NAME}}{columns} | {errors:>6} {cell.pss_mib:>5.0f} {cell.ready_seconds:>7.1f}")
    return "\n".join([*lines, *(f"  {server}: {cell.note}" for server, cell in cells.items() if cell.note)])


def _columns(cell: Cell, base: Cell | None, at: int) -> str:
    load = cell.loads[at]
    ratio = load.rate / base.loads[at].rate if base and base.loads[at].rate else math.nan
    return f"{load.rate:>9.0f} {number(ratio):>6} {number(load.p50_ms):>7} {number(load.p99_ms):>7}"


def number(value: float) -> str:
    """Three digits that matter: 0.0421, 3.14, 27.1, 1480. Nothing for what was not measured."""
    if math.isnan(value):
        return "-"
    return f"{value:.{max(0, 2 - math.floor(math.log10(value)))}f}" if 0 < value < 100 else f"{value:.0f}"


def distances(cells: Mapping[Key, Cell]) -> str:
    """How far Slipway is from its worker's bare echo, by model and connections: what a prediction costs beside HTTP."""
    lines = []
    for (case, server), cell in cells.items():
        bare = cells.get((case, ECHO))
        if bare and server in (NATIVE, COMPILED):
            shares = [f"{at}: {cell.loads[at].rate / load.rate:.0%}" for at, load in bare.loads.items() if load.rate]
            lines.append(f"{case}: {server}: of the bare echo's rate at {', '.join(shares)}")
    return "\n".join(lines)


def goal_lines(goals: Sequence[Goal]) -> str:
    width = max((len(goal.what) for goal in goals), default=0)
    return "\n".join(
        f"{goal.what:<{width}} {number(goal.figure):>7} {goal.unit:<3} "
        f"{'at most' if goal.at_most else 'at least'} {number(goal.target):>5}  {'met' if goal.met else 'MISSED'}"
        for goal in goals
    )


def overload_lines(found: Overload) -> str:
    return "\n".join(
        [
            f"overload: {found.offered_per_second} requests a second offered to a capacity of "
            f"{found.capacity_per_second} rows a second",
            f"  answered {found.over.rate:.0f}/s, refused {found.refused_share:.1%} with 503, "
            f"other errors {found.over.errors - found.over.refused}",
            f"  p99 of the accepted {number(found.over.p99_ms)} ms, at capacity {number(found.at_capacity.p99_ms)} ms; "
            f"of the refusals {number(found.over.refused_p99_ms)} ms",
            f"  Retry-After on {found.retry_after} of {found.refusals_read} refusals that were read",
        ]
    )


def as_json(cells: Mapping[Key, Cell]) -> list[dict[str, Any]]:
    """JSON has no NaN: what was not measured is null."""
    return [
        {"case": case, "server": server, **nulled(dataclasses.asdict(cell))} for (case, server), cell in cells.items()
    ]


def nulled(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: nulled(each) for key, each in value.items()}
    return None if isinstance(value, float) and math.isnan(value) else value


def overload_json(found: Overload | None) -> dict[str, Any] | None:
    return nulled(dataclasses.asdict(found)) if found else None

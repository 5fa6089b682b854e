"""What is to be reached, and the arithmetic that says whether it was: pure functions of the medians.

Every ratio is against the best of the peers it names, in the same run, with the same model and as many connections.
"""

import statistics
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, fields

from tests.bench.serving.load import Load
from tests.bench.serving.measure import Cell
from tests.bench.serving.models import CASES
from tests.bench.serving.servers import MLFLOW, PEER_SERVERS
from tests.bench.serving.slipway import COMPILED, NATIVE

SINGLE = [case.name for case in CASES if case.is_single]
BATCHING = {server.name for server in PEER_SERVERS if server.batching}
PEERS = {server.name for server in PEER_SERVERS}
SCORING = {server.name for server in PEER_SERVERS if server.name.startswith(MLFLOW)}

Key = tuple[str, str]
"""The case's name and the server's."""


@dataclass(frozen=True, kw_only=True)
class Goal:
    """A figure beside what it is to reach. `at_most` says which side of the target is good."""

    what: str
    figure: float
    target: float
    unit: str = "x"
    at_most: bool = False

    @property
    def met(self) -> bool:
        return self.figure <= self.target if self.at_most else self.figure >= self.target


def median_load(loads: Sequence[Load]) -> Load:
    """Figure by figure; errors and refusals are summed, for a median would hide them."""
    summed = {"answers", "errors", "refused"}
    values = {each.name: [getattr(load, each.name) for load in loads] for each in fields(Load)}
    return Load(**{name: sum(of) if name in summed else statistics.median(of) for name, of in values.items()})


def median_cell(cells: Sequence[Cell]) -> Cell:
    return Cell(
        loads={at: median_load([cell.loads[at] for cell in cells]) for at in cells[0].loads},
        ready_seconds=statistics.median(cell.ready_seconds for cell in cells),
        pss_mib=statistics.median(cell.pss_mib for cell in cells),
        workers=cells[0].workers,
        note=cells[-1].note,
    )


def medians(rounds: Iterable[Mapping[Key, Cell]]) -> dict[Key, Cell]:
    gathered: dict[Key, list[Cell]] = {}
    for cells in rounds:
        for key, cell in cells.items():
            gathered.setdefault(key, []).append(cell)
    return {key: median_cell(cells) for key, cells in gathered.items()}


@dataclass(frozen=True)
class Ratios:
    """Slipway's row against others of the same case; what was not measured is silently not compared."""

    cells: Mapping[Key, Cell]

    def _loads(self, case: str, servers: Iterable[str], connections: int) -> list[Load]:
        cells = (self.cells.get((case, server)) for server in servers)
        return [cell.loads[connections] for cell in cells if cell and connections in cell.loads]

    def faster(self, case: str, ours: str, others: Iterable[str], connections: int) -> float | None:
        """Our rate over the best of theirs."""
        mine = self._loads(case, [ours], connections)
        best = max((load.rate for load in self._loads(case, others, connections)), default=0.0)
        return mine[0].rate / best if mine and best else None

    def later(self, case: str, ours: str, others: Iterable[str], connections: int) -> float | None:
        """Our p99 over the best of theirs."""
        mine = self._loads(case, [ours], connections)
        best = min((load.p99_ms for load in self._loads(case, others, connections) if load.answers), default=0.0)
        return mine[0].p99_ms / best if mine and best else None


def goals(cells: Mapping[Key, Cell]) -> list[Goal]:
    ratios = Ratios(cells)
    found: list[Goal | None] = []
    for case in SINGLE:
        found += _native(ratios, case) + _compiled(ratios, case)
    found += [_goal(ratios.faster, "rows", ours, PEERS, at, 1.0) for ours in (NATIVE, COMPILED) for at in (1, 16, 64)]
    found += [_goal(ratios.faster, "text", ours, PEERS, 64, 10.0) for ours in (NATIVE, COMPILED)]
    return [*(goal for goal in found if goal), *_costs(cells)]


def _native(ratios: Ratios, case: str) -> list[Goal | None]:
    return [
        _goal(ratios.faster, case, NATIVE, SCORING, 64, 25.0),
        _goal(ratios.faster, case, NATIVE, BATCHING, 16, 2.0),
        _goal(ratios.faster, case, NATIVE, BATCHING, 64, 2.0),
        _goal(ratios.faster, case, NATIVE, PEERS, 1, 1.0),
    ]


def _compiled(ratios: Ratios, case: str) -> list[Goal | None]:
    return [
        _goal(ratios.faster, case, COMPILED, SCORING, 64, 100.0),
        _goal(ratios.faster, case, COMPILED, SCORING, 1, 20.0),
        _goal(ratios.later, case, COMPILED, PEERS, 64, 0.1),
    ]


def _goal(
    ratio: Callable[[str, str, Iterable[str], int], float | None],
    case: str,
    ours: str,
    others: set[str],
    connections: int,
    target: float,
) -> Goal | None:
    figure = ratio(case, ours, others, connections)
    if figure is None:
        return None
    is_p99 = ratio.__name__ == "later"
    whom = MLFLOW if others == SCORING else "best batching peer" if others == BATCHING else "best peer"
    what = f"{case}: {ours}: {'p99' if is_p99 else 'rate'} at {connections} against {whom}"
    return Goal(what=what, figure=figure, target=target, at_most=is_p99)


def _costs(cells: Mapping[Key, Cell]) -> list[Goal]:
    """Memory per worker beside mlflow's, and start to ready, by model."""
    found = []
    for (case, server), cell in cells.items():
        if server not in (NATIVE, COMPILED):
            continue
        ready = f"{case}: {server}: start to ready"
        found.append(Goal(what=ready, figure=cell.ready_seconds, target=4.0, unit="s", at_most=True))
        if theirs := cells.get((case, MLFLOW)):
            memory = f"{case}: {server}: memory per worker, beside {MLFLOW}'s"
            ours, limit = cell.pss_mib / cell.workers, theirs.pss_mib / theirs.workers
            found.append(Goal(what=memory, figure=ours, target=limit, unit="MiB", at_most=True))
    return found

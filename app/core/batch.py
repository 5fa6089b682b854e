"""Calls of one model as one predict: joined by rows, split by rows, and each alone where that does not work.

Whoever asked together with others gets the answer that it would have got alone. A batch that raises, or whose result
cannot be told apart by rows, is halved until the calls at fault stand alone; so one bad row costs its neighbours a few
more predicts, and nothing else.
"""

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from itertools import chain, repeat
from typing import Any

import numpy
import pandas

from app.core.errors import ServingError
from app.core.inputs import Input
from app.core.lane import Lane
from app.core.model import refused
from app.core.plain import Table


@dataclass(slots=True, eq=False)
class Timings:
    """Seconds that one prediction waited and ran, and whose it is: for the access log and the prediction log."""

    queue: float = 0.0
    predict: float = 0.0
    request_id: str = ""
    protocol: str = ""


Work = Callable[[], Any]  # whatever else must run on the scoring thread: alone


@dataclass(slots=True, eq=False)
class Call:
    """One request's prediction on its way. `done` is called once, on the scoring thread, and must not raise."""

    lane: Lane
    given: Input | Table | Work
    timings: Timings
    done: Callable[["Call"], None]
    rows: int
    queued: float = field(default_factory=time.monotonic)
    labelled: bool = False  # with probabilities, of plain rows for a model that is batched
    abandoned: bool = False  # nobody waits for the answer any more
    predictions: Any = None
    probabilities: Any = None
    error: Exception | None = None
    frame: pandas.DataFrame | None = None
    owner: Any = None  # whatever `done` needs to know

    def answer(self) -> Any:
        """The predictions; raises the error of a call that has one."""
        if self.error is not None:
            raise self.error
        return self.predictions


class NotRowsError(Exception):
    """The result of a batch is not one answer per row."""


Clock = Callable[[Lane, int, Callable[[], Any]], Any]


def take(waiting: list[Call]) -> list[Call]:
    """The first call and those that may share its predict, taken out of the list; order is kept."""
    first = waiting[0]
    if not _prepare(first):
        del waiting[0]
        return [first]
    rows, limit = 0, first.lane.pace.rows_at_most
    taken: list[Call] = []
    left: list[Call] = []
    for call in waiting:
        if call is first or (rows + call.rows <= limit and _may_join(call, first)):
            taken.append(call)
            rows += call.rows
        else:
            left.append(call)
    waiting[:] = left
    return taken


def _prepare(call: Call) -> bool:
    """Whether the call can be in a batch at all."""
    if isinstance(call.given, Table):
        return call.lane.row_wise
    if not isinstance(call.given, Input):
        return False
    if call.frame is None and call.given.params is None and not call.given.unwrapped:
        call.frame = call.lane.enforced(call.given.data)
    return call.frame is not None


def _may_join(call: Call, first: Call) -> bool:
    if call.lane is not first.lane or call.labelled is not first.labelled:
        return False
    if type(call.given) is Table and type(first.given) is Table:
        return call.lane.row_wise
    if not _prepare(call):
        return False
    ours, theirs = _frame(call), _frame(first)
    return ours.columns.equals(theirs.columns) and bool((ours.dtypes == theirs.dtypes).all())


def _frame(call: Call) -> pandas.DataFrame:
    if call.frame is None:
        assert isinstance(call.given, Table)
        call.frame = call.given.frame()
    return call.frame


def score(calls: list[Call], clock: Clock) -> None:
    """Gives every call its predictions or its error. `clock` runs one predict and takes its time."""
    lane = calls[0].lane
    if len(calls) == 1:
        return _alone(calls[0], clock)
    rows = sum(call.rows for call in calls)
    try:
        data, counts = _join(calls), [call.rows for call in calls]
        predictions, probabilities = clock(lane, rows, lambda: _asked(calls[0], data))
        parts = _split(predictions, counts)
        more = _split(probabilities, counts) if calls[0].labelled else repeat(None, len(calls))
    except Exception:  # whose fault it is shows when they are apart
        middle = len(calls) // 2
        score(calls[:middle], clock)
        score(calls[middle:], clock)
        return None
    for call, part, probable in zip(calls, parts, more, strict=True):
        call.predictions, call.probabilities = part, probable
    return None


def _asked(call: Call, data: Any) -> tuple[Any, Any]:
    return call.lane.label(data) if call.labelled else (call.lane.score(data), None)


def _alone(call: Call, clock: Clock) -> None:
    lane, given = call.lane, call.given
    try:
        if call.frame is not None or (isinstance(given, Table) and lane.row_wise):
            data = call.frame if call.frame is not None else lane.plain(given.values)  # type: ignore[union-attr]
            found = clock(lane, call.rows, lambda: refused(lambda: _asked(call, data)))
            call.predictions, call.probabilities = found
        elif isinstance(given, Input | Table):
            whole = given if isinstance(given, Input) else Input(given.frame(), None)
            call.predictions = clock(lane, call.rows, lambda: lane.model.predict(whole))
        else:
            call.predictions = clock(lane, call.rows, given)
    except ServingError as error:
        call.error = error


def _join(calls: list[Call]) -> pandas.DataFrame:
    tables = [call.given for call in calls if type(call.given) is Table]
    if len(tables) == len(calls):
        return calls[0].lane.plain(list(chain.from_iterable([table.values for table in tables])))
    return pandas.concat([_frame(call) for call in calls], ignore_index=True)


def _split(whole: Any, counts: Iterable[int]) -> list[Any]:
    counts = list(counts)
    if not isinstance(whole, numpy.ndarray | pandas.DataFrame | pandas.Series | list) or len(whole) != sum(counts):
        raise NotRowsError
    parts, start = [], 0
    for count in counts:
        part = whole[start : start + count]
        parts.append(part if isinstance(part, numpy.ndarray | list) else part.reset_index(drop=True))
        start += count
    return parts

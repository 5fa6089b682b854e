"""What one loaded model allows: whether requests may share a predict, and what it has cost of late.

A model is batched only when its answer to a row is known to be that row's own. The scorer knows which libraries promise
that; the promise is then tested with the model's own example: its rows alone, beside each other and beside others.
"""

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy
import pandas

from app.core import blame, decision
from app.core.compiled import Compiled
from app.core.model import LoadedModel
from app.core.pace import Pace
from app.core.plain import Layout, Rows
from app.core.probabilities import labelled

PROBED_ROWS = 4

log = logging.getLogger(__name__)

Timed = Callable[[Callable[[], Any]], Any]


@dataclass
class Lane:
    """`labels`: those of a classifier, whose probabilities /predict gives too."""

    model: LoadedModel
    layout: Layout | None
    row_wise: bool = False
    labels: list[Any] | None = None
    pace: Pace = field(default_factory=Pace)
    waiting: int = 0  # calls and rows that are queued or being scored
    waiting_rows: int = 0
    is_known: bool = False  # to the scoring thread's line

    @property
    def seconds(self) -> float:
        """What everything that waits here will take, by the recent predicts."""
        if not self.waiting:
            return 0.0
        predicts = self.waiting_rows / self.pace.rows_at_most if self.row_wise else self.waiting
        return self.pace.seconds(max(predicts, 1), self.waiting_rows)

    def enforced(self, data: Any) -> pandas.DataFrame | None:
        """The frame as the signature wants it, for a batch; None when only the scorer itself should deal with it."""
        if not self.row_wise or not isinstance(data, pandas.DataFrame) or not isinstance(data.index, pandas.RangeIndex):
            return None
        try:
            frame, _ = self.model.scorer.enforce(data)
        except Exception:  # it will be raised again, where it is told whose fault it is
            return None
        return frame if isinstance(frame, pandas.DataFrame) and len(frame) == len(data) else None

    def score(self, data: Any) -> Any:
        """What the model answers to enforced data; only for a model that is batched."""
        return self.model.scorer.predict(data, None)

    def label(self, data: Any) -> tuple[Any, Any]:
        """As `score`, with a row of probabilities for each row."""
        return labelled(self.model, data)

    def plain(self, rows: Rows) -> Any:
        """Plain rows as enforced data, in the form that the scorer likes best."""
        assert self.layout is not None
        if self.model.scorer.takes_matrix and self.layout.is_matrix:
            return self.layout.matrix(rows)
        if self.model.scorer.takes_columns and self.layout.is_texts:
            return self.layout.texts(rows)
        return self.layout.frame(rows)


def open_lane(model: LoadedModel, timed: Timed) -> Lane:
    """On the scoring thread, for a model that has answered its example. `timed` runs one predict under the watchdog.

    A compiled model whose sums depend on the rows beside a row cannot be batched: if its original can be, that serves.
    """
    lane, compiled = _opened(model, timed), model.scorer
    if lane.row_wise or not isinstance(compiled, Compiled) or not compiled.row_wise:
        return lane
    model.scorer = compiled.original
    other = _opened(model, timed)
    if not other.row_wise:
        model.scorer = compiled
        return lane
    model.scorer.decision = decision.native("compiled, a row's last digits depend on the rows beside it")
    return other


def _opened(model: LoadedModel, timed: Timed) -> Lane:
    lane = Lane(model, Layout.of(model.pyfunc.metadata), labels=model.classes)
    if not model.scorer.row_wise or model.pyfunc.metadata.get_params_schema() is not None:
        return lane
    lane.row_wise = True  # for the time of the test
    try:
        lane.row_wise = _test(lane, timed)
    except Exception as error:  # on rows that the model need not know: then it is served one request at a time
        lane.row_wise = False
        level = logging.INFO if blame.is_input(error) else logging.WARNING
        log.log(level, "model %s cannot be tested for batches: %s", model.version.label, error)
    return lane


def _test(lane: Lane, timed: Timed) -> bool:
    if not lane.model.known:  # no rows to test it with: one request at a time
        return False
    _, _, given = lane.model.known[0]
    frame = lane.enforced(given.data)
    if frame is None or not len(frame):
        return False

    def score(some: pandas.DataFrame) -> Any:
        started = time.monotonic()
        answer = timed(lambda: lane.score(some))
        lane.pace.saw(len(some), time.monotonic() - started)
        return answer

    frame = frame.head(PROBED_ROWS).copy()  # in one piece: MLflow makes a piece of each column
    score(frame)  # the first predict is not like the others
    lane.pace = Pace()
    other = _other(frame)
    together = score(pandas.concat([frame, other, frame.iloc[::-1]], ignore_index=True))
    for number in range(len(frame)):
        alone = score(frame.iloc[number : number + 1].reset_index(drop=True))
        if len(alone) != 1 or not _same(together[number : number + 1], alone):
            return False
    several = pandas.concat([frame, other], ignore_index=True)
    lane.model.scorer.takes_matrix = lane.model.scorer.takes_matrix and _answers_alike(lane, score, several)
    return len(together) == 3 * len(frame)


def _answers_alike(lane: Lane, score: Callable[[Any], Any], frame: pandas.DataFrame) -> bool:
    """Whether the model answers to a matrix as to its frame, bit for bit."""
    if lane.layout is None or not lane.layout.is_matrix:
        return True
    asked, other = numpy.asarray(score(frame)), numpy.asarray(score(lane.layout.matrix(frame.to_numpy().tolist())))
    if asked.dtype == other.dtype and asked.shape == other.shape and asked.tobytes() == other.tobytes():
        return True
    log.warning("model %s answers a matrix otherwise than its frame: it is given frames", lane.model.version.label)
    return False


def _other(frame: pandas.DataFrame) -> pandas.DataFrame:
    """Rows unlike the example's, and still fit for the model: the numbers moved, the rest as it is."""
    numbers = frame.select_dtypes("floating")
    rest = frame.drop(columns=numbers.columns)
    return pandas.concat([rest, numbers * 1.5 + 1], axis=1)[list(frame.columns)]


def _same(some: Any, others: Any) -> bool:
    """Equal, but for the last digits of a sum in another order."""
    left, right = numpy.asarray(some), numpy.asarray(others)
    if left.shape != right.shape or left.dtype.kind != right.dtype.kind:
        return False
    if left.dtype.kind in "fc":
        return bool(numpy.allclose(left, right, rtol=1e-9 if left.dtype.itemsize > 4 else 1e-5, atol=0, equal_nan=True))
    return bool((left == right).all())

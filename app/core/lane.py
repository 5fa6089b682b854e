"""What one loaded model allows: whether requests may share a predict, and how its frames are scored without detours.

A model is batched only when its answer to a row is known to be that row's own. A library's estimator is taken at its
word and then tested with the model's own example: alone, and beside other rows. Code of the model's author never is.
"""

import inspect
import logging
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy
import pandas
from mlflow.models.utils import _enforce_schema

from app.core import blame, inputs
from app.core.model import LoadedModel
from app.core.pace import Pace
from app.core.plain import Layout

# Flavours whose predict is a library's own function of each row.
LIBRARIES = frozenset({"mlflow.sklearn", "mlflow.xgboost", "mlflow.lightgbm", "mlflow.catboost"})
PROBED_ROWS = 4

log = logging.getLogger(__name__)

Score = Callable[[pandas.DataFrame], Any]
Timed = Callable[[Callable[[], Any]], Any]


@dataclass
class Lane:
    """`score` takes a frame that fits the schema already, by the shortest way that gives pyfunc's own answer."""

    model: LoadedModel
    layout: Layout | None
    row_wise: bool
    score: Score
    pace: Pace = field(default_factory=Pace)
    waiting: int = 0  # calls and rows that are queued or being scored
    waiting_rows: int = 0

    @property
    def is_classifier(self) -> bool:
        """/predict gives such a model's labels and probabilities too."""
        return hasattr(self.model.pyfunc._model_impl, "predict_proba")

    @property
    def seconds(self) -> float:
        """What everything that waits here will take, by the recent predicts."""
        if not self.waiting:
            return 0.0
        predicts = self.waiting_rows / self.pace.rows_at_most if self.row_wise else self.waiting
        return self.pace.seconds(max(predicts, 1), self.waiting_rows)

    def enforced(self, data: Any) -> pandas.DataFrame | None:
        """The frame as the signature wants it, for a batch; None when only pyfunc itself should deal with it."""
        if not self.row_wise or not isinstance(data, pandas.DataFrame) or not isinstance(data.index, pandas.RangeIndex):
            return None
        schema = self.model.pyfunc.metadata.get_input_schema()
        if schema is None:
            return data
        if schema.is_tensor_spec() or self.layout is None:
            return None
        try:
            frame = _enforce_schema(data, schema)
        except Exception:  # pyfunc will raise it again, with MLflow's own words around it
            return None
        return frame if isinstance(frame, pandas.DataFrame) and len(frame) == len(data) else None


def open_lane(model: LoadedModel, timed: Timed) -> Lane:
    """On the scoring thread, for a model that has answered its example. `timed` runs one predict under the watchdog."""
    layout = Layout.of(model.pyfunc.metadata)
    lane = Lane(model, layout, row_wise=False, score=model.pyfunc.predict)
    if model.pyfunc.loader_module not in LIBRARIES:
        return lane
    try:
        _learn(lane, timed)
    except Exception:  # the model's own, on rows it need not know: it is served, one request at a time
        log.exception("model %s cannot be tested for batches", model.version.label)
        return Lane(model, layout, row_wise=False, score=model.pyfunc.predict)
    log.info("model tested for batches", extra={"model": model.version.name, "row_wise": lane.row_wise})
    return lane


def _learn(lane: Lane, timed: Timed) -> None:
    lane.row_wise = True
    frame = _example(lane)
    if frame is None or not len(frame):
        lane.row_wise = False
        return
    direct = _direct(lane.model)
    if direct is not None and _same(timed(lambda: direct(frame)), timed(lambda: lane.score(frame))):
        lane.score = direct
    lane.row_wise = _is_row_wise(lambda some: timed(lambda: lane.score(some)), frame)
    for part in (frame.head(1), pandas.concat([frame] * 4, ignore_index=True)):
        started = time.monotonic()
        timed(lambda part=part: lane.score(part))  # type: ignore[misc]
        lane.pace.saw(len(part), time.monotonic() - started)


def _example(lane: Lane) -> pandas.DataFrame | None:
    body = lane.model.version.expected.input
    if not isinstance(body, dict):
        return None
    return lane.enforced(inputs.from_json(body, lane.model.pyfunc.metadata).data)


def _direct(model: LoadedModel) -> Score | None:
    """The flavour's own predict. pyfunc around it enforces the schema, which is done, and sets a tracing context."""
    if model.pyfunc.metadata.get_params_schema() is not None or model.pyfunc.metadata.get_input_schema() is None:
        return None
    function = model.pyfunc._predict_fn
    if "params" in inspect.signature(function).parameters:
        return lambda frame: function(frame, params=None)
    score: Score = function
    return score


def _is_row_wise(score: Score, frame: pandas.DataFrame) -> bool:
    """Whether the example's rows get the answers that they get alone, beside each other and beside other rows."""
    frame = frame.head(PROBED_ROWS)
    try:
        together = score(pandas.concat([frame, _other(frame), frame.iloc[::-1]], ignore_index=True))
        for number in range(len(frame)):
            alone = score(frame.iloc[number : number + 1].reset_index(drop=True))
            if len(alone) != 1 or not _same(together[number : number + 1], alone):
                return False
    except Exception as error:
        if not blame.is_input(error):
            log.warning("the model failed when its example was repeated: %s", error)
        return False
    return len(together) == 3 * len(frame)


def _other(frame: pandas.DataFrame) -> pandas.DataFrame:
    """Rows unlike the example's, and still fit for the model: the numbers moved, the rest as it is."""
    numbers = frame.select_dtypes("floating").columns
    moved = frame.copy()
    moved[numbers] = frame[numbers] * 1.5 + frame[numbers].dtypes.map(lambda kind: kind.type(1))
    return moved


def _same(some: Any, others: Any) -> bool:
    """Equal, but for the last digits of a sum in another order."""
    if type(some) is not type(others):
        return False
    left, right = numpy.asarray(some), numpy.asarray(others)
    if left.shape != right.shape or left.dtype.kind != right.dtype.kind:
        return False
    if left.dtype.kind in "fc":
        return bool(numpy.allclose(left, right, rtol=1e-9 if left.dtype.itemsize > 4 else 1e-5, atol=0, equal_nan=True))
    return bool((left == right).all())

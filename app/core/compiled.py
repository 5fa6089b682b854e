"""A model compiled for ONNX Runtime, with its original beside it for whatever the two could answer differently.

That is: nulls and infinities, text beyond ASCII (lower case and word borders are another library's there), and a class
that wins by less than the arithmetic of float32 can tell. So classes are the original's exactly.
"""

from pathlib import Path
from typing import Any, TypeAlias

import numpy
import pandas

from app.core import decision as decisions
from app.core.columns import Columns
from app.core.decision import Decision, Kind, Recipe
from app.core.scorer import Both, Native, Params, Probabilities, Scorer

Array: TypeAlias = numpy.ndarray[Any, Any]

MARGIN = 1e-4  # between the two likeliest classes; float32's error in a sum of some hundred terms is a tenth of it
NUMBERS = {"f": numpy.float32, "i": numpy.int64, "u": numpy.int64, "b": numpy.bool_}


class Compiled:
    def __init__(self, original: Native, model: Path | bytes, decision: Decision) -> None:
        """Raises whatever ONNX Runtime raises for a model that it cannot run."""
        assert decision.recipe is not None
        self.original = original
        self.decision = decision
        self.row_wise = original.row_wise
        self._recipe: Recipe = decision.recipe
        self._session = _session(model)
        self._inputs = [(each.name, each.type) for each in self._session.get_inputs()]
        estimator = original.estimator
        self._steps = leading_steps(estimator, self._recipe.prefix)
        self._classes = getattr(estimator, "classes_", None) if hasattr(estimator, "predict_proba") else None
        self._labels = None if self._classes is None else self._classes.tolist()
        self._output = self._session.get_outputs()[0 if self._classes is None else 1].name
        self.takes_matrix = original.has_plain_columns and not self._steps
        self.takes_columns = original.takes_columns and not self._steps and self._recipe.feed == "columns"

    @property
    def kind(self) -> Kind:
        return self.decision.kind

    def enforce(self, data: Any, params: Params = None) -> tuple[Any, Params]:
        return self.original.enforce(data, params)

    def predict(self, data: Any, params: Params = None) -> Any:
        feed = self._feed(data)
        if feed is None:
            return self.original.predict(data, params)
        output = self._run(feed)
        if self._classes is None:
            return output[:, 0] if output.shape[1] == 1 else output
        return self._classified(output, data, params)

    def _classified(self, output: Array, data: Any, params: Params = None) -> Any:
        assert self._classes is not None
        answer = self._classes.take(numpy.argmax(output, axis=1), axis=0)
        ranked = numpy.partition(output, -2, axis=1)
        close = ranked[:, -1] - ranked[:, -2] < MARGIN
        if close.any() and self.row_wise:
            unsure = data.where(close) if isinstance(data, Columns) else data[close]
            answer[close] = self.original.predict(unsure, params)
        elif close.any():
            answer = self.original.predict(data, params)
        return answer

    def probabilities(self, data: Any) -> Probabilities | None:
        feed = None if self._labels is None else self._feed(data)
        if feed is None or self._labels is None:
            return self.original.probabilities(data)
        return self._labels, self._run(feed)

    def both(self, data: Any) -> Both | None:
        feed = None if self._labels is None else self._feed(data)
        if feed is None:
            return self.original.both(data)
        output = self._run(feed)
        return self._classified(output, data), output

    def _run(self, feed: dict[str, Array]) -> Array:
        (output,) = self._session.run([self._output], feed)
        wide: Array = output.astype(numpy.float64)
        return wide if wide.ndim == 2 else wide.reshape(len(wide), -1)

    def _feed(self, data: Any) -> dict[str, Array] | None:
        """None when the original should answer."""
        if not hasattr(data, "__len__") or not len(data):
            return None
        for step in self._steps:
            data = step.transform(data)
        if self._recipe.feed == "columns":
            return self._columns(data)
        column = _matrix(data) if self._recipe.feed == "matrix" else _texts(data)
        return None if column is None else {self._inputs[0][0]: column}

    def _columns(self, data: Any) -> dict[str, Array] | None:
        feed = {}
        for number, (name, kind) in enumerate(self._inputs):
            column = _column(data, name, number)
            values = _texts(column) if kind == "tensor(string)" else _numbers(column, kind)
            if values is None:
                return None
            feed[name] = values
        return feed


def _column(data: Any, name: str, number: int) -> Any:
    if isinstance(data, Columns):
        return data[name]
    return data[name].to_numpy() if isinstance(data, pandas.DataFrame) else data[:, number]


def choose(original: Native, decision: Decision | None, model: Path | None) -> Scorer:
    """The compiled model if that was decided and loads, else the original, with the reason."""
    if decision is None:
        return original
    original.decision = decision
    if model is None or decision.recipe is None:
        return original
    try:
        return Compiled(original, model, decision)
    except Exception as error:  # ONNX Runtime's own exceptions have no common base
        reason = f"the compiled model does not load: {type(error).__name__}: {str(error)[:200]}"
    original.decision = decisions.native(reason)
    return original


def leading_steps(estimator: Any, count: int) -> list[Any]:
    """The first steps of a pipeline, as Pipeline itself runs them."""
    steps = [step for _, step in estimator.steps[:count]] if count else []
    return [step for step in steps if step is not None and step != "passthrough"]


def _session(model: Path | bytes) -> Any:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1  # the workers are our parallelism
    options.log_severity_level = 3
    source = model if isinstance(model, bytes) else str(model)
    return onnxruntime.InferenceSession(source, options, providers=["CPUExecutionProvider"])


def _matrix(data: Any) -> Array | None:
    if isinstance(data, pandas.DataFrame):
        if any(not isinstance(kind, numpy.dtype) or kind.kind not in NUMBERS for kind in data.dtypes):
            return None
        with numpy.errstate(over="ignore"):
            data = data.to_numpy(dtype=numpy.float32)
    if not isinstance(data, numpy.ndarray) or data.ndim != 2 or data.dtype.kind not in NUMBERS:
        return None
    with numpy.errstate(over="ignore"):
        rows = numpy.ascontiguousarray(data, dtype=numpy.float32)
    return rows if numpy.isfinite(rows).all() else None


def _numbers(column: Array, kind: str) -> Array | None:
    if column.dtype.kind not in NUMBERS:
        return None
    if kind == "tensor(float)":
        return _matrix(column.reshape(-1, 1))
    wanted = numpy.int64 if kind == "tensor(int64)" else numpy.bool_
    return numpy.ascontiguousarray(column, dtype=wanted).reshape(-1, 1)


def _texts(column: Any) -> Array | None:
    texts = list(column)
    if not all(type(text) is str and text.isascii() for text in texts):
        return None
    return numpy.array(texts, dtype=object).reshape(-1, 1)

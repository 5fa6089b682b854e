"""The steps of a pipeline before its last one, quicker where they are known; each answers as the step itself."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy
from sklearn.preprocessing import StandardScaler

from app.core.matrix import named, plain
from app.core.texts import TextColumns, Vectorizer, strings


@dataclass(frozen=True)
class Step:
    """A step's `transform`, and what it takes beside what the step itself does: see scorer.Scorer."""

    transform: Callable[[Any], Any]
    takes_matrix: bool = False
    takes_columns: bool = False


def quick(step: Any, *, is_first: bool) -> Step:
    if Vectorizer.fits(step):
        return _vectorizer(step)
    if is_first and TextColumns.fits(step):
        return Step(TextColumns(step).transform, takes_columns=True)
    if is_first and _is_plain_scaler(step):
        return _scaler(step)
    return Step(step.transform)


def _vectorizer(step: Any) -> Step:
    found = Vectorizer(step)

    def transform(data: Any) -> Any:
        texts = strings(data)
        return step.transform(data) if texts is None else found.rows(texts)

    return Step(transform)


def _is_plain_scaler(step: Any) -> bool:
    """Fitted to doubles; as the first step it is given them in the order of memory that `plain` keeps."""
    if type(step) is not StandardScaler or getattr(step, "_sklearn_output_config", None):
        return False
    fitted = [part for used, part in ((step.with_mean, step.mean_), (step.with_std, step.scale_)) if used]
    return all(isinstance(part, numpy.ndarray) and part.dtype == numpy.float64 for part in fitted)


def _scaler(step: Any) -> Step:
    rows_of = plain(step, numpy.float64, "f")
    names = getattr(step, "feature_names_in_", None)

    def transform(data: Any) -> Any:
        rows = rows_of(data)
        if rows is None:
            return step.transform(named(data, names))
        if step.with_mean:
            rows = rows - step.mean_
        return rows / step.scale_ if step.with_std else rows

    return Step(transform, takes_matrix=True)

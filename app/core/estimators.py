"""What is known of scikit-learn's estimators: which treat each row by itself, and how to call them for less.

Whatever is out of the ordinary (a null, an infinity, another type of column) goes to the estimator's own method,
so that its refusals stay its own.
"""

from collections.abc import Callable
from dataclasses import dataclass
from types import BuiltinFunctionType, FunctionType
from typing import Any, TypeAlias

import numpy
import pandas
from sklearn import get_config
from sklearn.base import BaseEstimator
from sklearn.pipeline import Pipeline

from app.core.forest import Forest
from app.core.linear import Linear, QuickLogistic

Array: TypeAlias = numpy.ndarray[Any, Any]

LIBRARIES = ("sklearn.", "xgboost.", "lightgbm.")
PLAIN_KINDS = "fiub"  # of numpy's dtypes: no objects, no strings


@dataclass(frozen=True)
class Fast:
    """An estimator's `predict`, its probabilities with their labels, and whether both take a bare matrix."""

    predict: Callable[[Any], Any]
    probabilities: Callable[[Any], tuple[list[Any], Array]] | None = None
    takes_matrix: bool = False


def fast(estimator: Any) -> Fast:
    if type(estimator) is Pipeline and not get_config()["enable_metadata_routing"]:
        return _pipeline(estimator)
    if Forest.fits(estimator):
        return _forest(estimator)
    if Linear.fits(estimator):
        return _linear(estimator)
    return Fast(estimator.predict, _probabilities(estimator))


def is_row_wise(estimator: Any) -> bool:
    """Every part is a library's, and no part calls a function of somebody else's on many rows at once."""
    return all(_is_known(part) for part in (estimator, *_parts(estimator)))


def _parts(estimator: Any) -> list[Any]:
    """The steps, columns' transformers and base estimators, at any depth."""
    values = estimator.get_params(deep=True).values() if isinstance(estimator, BaseEstimator) else []
    return [value for value in values if hasattr(value, "predict") or hasattr(value, "transform")]


def _is_known(part: Any) -> bool:
    module = type(part).__module__
    if not module.startswith(LIBRARIES) or not isinstance(part, BaseEstimator):
        return False
    parameters = part.get_params(deep=False)
    if parameters.get("sample_posterior"):  # an imputer that draws
        return False
    if module.startswith("sklearn.feature_extraction"):  # calls what it is given on one document at a time
        return True
    return not any(isinstance(value, FunctionType | BuiltinFunctionType) for value in parameters.values())


def _probabilities(estimator: Any) -> Callable[[Any], tuple[list[Any], Array]] | None:
    if not hasattr(estimator, "predict_proba") or not isinstance(getattr(estimator, "classes_", None), numpy.ndarray):
        return None
    labels = estimator.classes_.tolist()
    return lambda data: (labels, estimator.predict_proba(data))


def _pipeline(pipeline: Pipeline) -> Fast:
    """The steps one by one, as Pipeline itself does, for the sake of its last one."""
    steps = [step for _, _, step in pipeline._iter(with_final=False)]
    last = fast(pipeline.steps[-1][1])
    through = last.probabilities

    def transformed(data: Any) -> Any:
        for step in steps:
            data = step.transform(data)
        return data

    return Fast(
        lambda data: last.predict(transformed(data)),
        (lambda data: through(transformed(data))) if through else None,
    )


def _forest(estimator: Any) -> Fast:
    forest = Forest(estimator)
    plain = _plain(estimator, numpy.float32, PLAIN_KINDS)
    names = getattr(estimator, "feature_names_in_", None)
    classes = getattr(estimator, "classes_", None)
    if classes is None:

        def regress(data: Any) -> Any:
            rows = plain(data)
            return estimator.predict(_named(data, names)) if rows is None else forest.mean(rows)[:, 0]

        return Fast(regress, takes_matrix=True)

    def probabilities(data: Any) -> Array:
        rows = plain(data)
        return estimator.predict_proba(_named(data, names)) if rows is None else forest.mean(rows)

    labels = classes.tolist()
    return Fast(
        lambda data: classes.take(numpy.argmax(probabilities(data), axis=1), axis=0),
        lambda data: (labels, probabilities(data)),
        takes_matrix=True,
    )


def _linear(estimator: Any) -> Fast:
    linear = Linear(estimator)
    plain = _plain(estimator, numpy.float64, "f")
    names = getattr(estimator, "feature_names_in_", None)
    classes = getattr(estimator, "classes_", None)

    def answer(data: Any) -> Any:
        rows = plain(data)
        if rows is None:
            return estimator.predict(_named(data, names))
        if classes is None:
            return linear.values(rows)
        scores = linear.scores(rows)
        return classes.take((scores > 0).astype(int) if scores.ndim == 1 else numpy.argmax(scores, axis=1), axis=0)

    if classes is None:
        return Fast(answer, takes_matrix=True)
    quick, labels = QuickLogistic.of(estimator), classes.tolist()

    def probabilities(data: Any) -> Array:
        rows = plain(data)
        found: Array = estimator.predict_proba(_named(data, names)) if rows is None else quick.predict_proba(rows)
        return found

    return Fast(answer, lambda data: (labels, probabilities(data)), takes_matrix=True)


def _plain(estimator: Any, kind: Any, kinds: str) -> Callable[[Any], Array | None]:
    """The rows as the estimator itself would convert them, None when it should look at them itself."""
    names = getattr(estimator, "feature_names_in_", None)

    def is_plain(dtype: Any) -> bool:
        return isinstance(dtype, numpy.dtype) and dtype.kind in kinds and (kinds != "f" or dtype == kind)

    def plain(data: Any) -> Array | None:
        if isinstance(data, pandas.DataFrame):
            if names is not None and not numpy.array_equal(data.columns, names):
                return None
            if not all(map(is_plain, data.dtypes)):
                return None
            with numpy.errstate(over="ignore"):
                data = data.to_numpy(dtype=kind)
        elif kind is numpy.float64 and isinstance(data, numpy.ndarray):
            data = numpy.asfortranarray(data)  # as a frame of a request's columns has them
        if not isinstance(data, numpy.ndarray) or data.ndim != 2 or data.shape[1] != estimator.n_features_in_:
            return None
        if not is_plain(data.dtype) and data.dtype != kind:
            return None
        if not len(data):
            return None
        with numpy.errstate(over="ignore"):
            rows: Array = data.astype(kind, copy=False)
        return rows if numpy.isfinite(rows).all() else None

    return plain


def _named(data: Any, names: Any) -> Any:
    """A matrix that came without the names which the estimator was fitted with, so that it need not warn."""
    is_bare = isinstance(data, numpy.ndarray) and data.ndim == 2 and names is not None and data.shape[1] == len(names)
    return pandas.DataFrame(data, columns=names) if is_bare else data

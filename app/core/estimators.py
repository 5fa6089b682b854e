"""What is known of scikit-learn's estimators: which treat each row by itself, and how to call them for less.

Whatever is out of the ordinary (a null, an infinity, another type of column) goes to the estimator's own method,
so that its refusals stay its own.
"""

from collections.abc import Callable
from types import BuiltinFunctionType, FunctionType
from typing import Any, TypeAlias

import numpy
from sklearn import get_config
from sklearn.base import BaseEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline

from app.core import histogram
from app.core.boosting import Boosting
from app.core.fast import Both, Fast
from app.core.forest import Forest
from app.core.histogram import Histogram
from app.core.linear import Linear, QuickLogistic
from app.core.matrix import PLAIN_KINDS, named, plain
from app.core.steps import Step, quick

Array: TypeAlias = numpy.ndarray[Any, Any]

LIBRARIES = ("sklearn.", "xgboost.", "lightgbm.")


def fast(estimator: Any, *, in_pipeline: bool = False) -> Fast:
    if type(estimator) is Pipeline and not get_config()["enable_metadata_routing"]:
        return _pipeline(estimator)
    if Forest.fits(estimator):
        return _forest(estimator)
    if Boosting.fits(estimator):
        return _boosting(estimator)
    if Histogram.fits(estimator):
        return histogram.fast(estimator)
    if Linear.fits(estimator):
        return _linear(estimator, in_pipeline)
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
    """The steps one by one, as Pipeline itself does, each without what it need not do."""
    steps = [quick(step, is_first=not number) for number, (_, _, step) in enumerate(pipeline._iter(with_final=False))]
    last = fast(pipeline.steps[-1][1], in_pipeline=bool(steps))
    through = last.probabilities
    first = steps[0] if steps else Step(lambda data: data, last.takes_matrix)

    def transformed(data: Any) -> Any:
        for step in steps:
            data = step.transform(data)
        return data

    return Fast(
        lambda data: last.predict(transformed(data)),
        (lambda data: through(transformed(data))) if through else None,
        takes_matrix=first.takes_matrix,
        takes_columns=first.takes_columns,
        shared=(lambda data: last.both(transformed(data))) if through else None,
    )


def _forest(estimator: Any) -> Fast:
    forest = Forest(estimator)
    rows_of = plain(estimator, numpy.float32, PLAIN_KINDS)
    names = getattr(estimator, "feature_names_in_", None)
    classes = getattr(estimator, "classes_", None)
    if classes is None:

        def regress(data: Any) -> Any:
            rows = rows_of(data)
            return estimator.predict(named(data, names)) if rows is None else forest.mean(rows)[:, 0]

        return Fast(regress, takes_matrix=True)

    def probabilities(data: Any) -> Array:
        rows = rows_of(data)
        return estimator.predict_proba(named(data, names)) if rows is None else forest.mean(rows)

    def both(data: Any) -> Both:
        found = probabilities(data)
        return classes.take(numpy.argmax(found, axis=1), axis=0), found

    labels = classes.tolist()
    return Fast(lambda data: both(data)[0], lambda data: (labels, probabilities(data)), takes_matrix=True, shared=both)


def _boosting(estimator: Any) -> Fast:
    boosting = Boosting(estimator)
    rows_of = plain(estimator, numpy.float32, PLAIN_KINDS)
    names = getattr(estimator, "feature_names_in_", None)
    classes = getattr(estimator, "classes_", None)

    def answer(data: Any) -> Any:
        rows = rows_of(data)
        if rows is None:
            return estimator.predict(named(data, names))
        return boosting.raw(rows).ravel() if classes is None else classes[boosting.places(rows)]

    if classes is None or not hasattr(estimator, "predict_proba"):
        return Fast(answer, takes_matrix=True)
    labels = classes.tolist()

    def probabilities(data: Any) -> Array:
        rows = rows_of(data)
        return estimator.predict_proba(named(data, names)) if rows is None else boosting.probabilities(rows)

    return Fast(answer, lambda data: (labels, probabilities(data)), takes_matrix=True)


def _linear(estimator: Any, in_pipeline: bool) -> Fast:
    linear = Linear(estimator)
    rows_of = plain(estimator, numpy.float64, "f", in_pipeline=in_pipeline)
    names = getattr(estimator, "feature_names_in_", None)
    classes = getattr(estimator, "classes_", None)

    def answer(data: Any) -> Any:
        rows = rows_of(data)
        if rows is None:
            return estimator.predict(named(data, names))
        if classes is None:
            return linear.values(rows)
        scores = linear.scores(rows)
        return classes.take((scores > 0).astype(int) if scores.ndim == 1 else numpy.argmax(scores, axis=1), axis=0)

    if classes is None:
        return Fast(answer, takes_matrix=True)
    if not isinstance(estimator, LogisticRegression):
        return Fast(answer, _probabilities(estimator), takes_matrix=True)
    logistic, labels = QuickLogistic.of(estimator), classes.tolist()

    def probabilities(data: Any) -> Array:
        rows = rows_of(data)
        found: Array = estimator.predict_proba(named(data, names)) if rows is None else logistic.predict_proba(rows)
        return found

    return Fast(answer, lambda data: (labels, probabilities(data)), takes_matrix=True)

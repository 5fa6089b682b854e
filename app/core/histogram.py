"""scikit-learn's histogram gradient boosting without what one predict costs beside the trees: pandas, and validation.

The trees are searched by scikit-learn's own compiled predictors, iteration after iteration onto its own baseline, and
its own loss makes the answer of their sum. Categories, which a preprocessor would have to look up, are left to it.
"""

from typing import Any, TypeAlias

import numpy
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
from sklearn.utils._openmp_helpers import _openmp_effective_n_threads

from app.core.fast import Both, Fast
from app.core.matrix import PLAIN_KINDS, named, plain

Array: TypeAlias = numpy.ndarray[Any, Any]

SHARED_ROWS = 1000  # in a batch that threads share; below, waking them for each tree costs more than the tree


class Histogram:
    def __init__(self, estimator: Any) -> None:
        self._baseline: Array = estimator._baseline_prediction
        self._loss, self._classes = estimator._loss, getattr(estimator, "classes_", None)
        self._categories = estimator._bin_mapper.make_known_categories_bitsets()
        self._trees = [[tree.predict for tree in iteration] for iteration in estimator._predictors]
        self._width: int = estimator.n_trees_per_iteration_

    @staticmethod
    def fits(estimator: Any) -> bool:
        """One of scikit-learn's own, all of whose columns are numbers: a subclass may predict in another way."""
        if type(estimator) not in (HistGradientBoostingRegressor, HistGradientBoostingClassifier):
            return False
        return getattr(estimator, "is_categorical_", True) is None and getattr(estimator, "_preprocessor", True) is None

    def raw(self, rows: Array) -> Array:
        """`rows`: float64, of as many columns as the estimator was fitted on."""
        raw = numpy.zeros((len(rows), self._width), dtype=self._baseline.dtype, order="F")
        raw += self._baseline
        threads = 1 if len(rows) < SHARED_ROWS else _openmp_effective_n_threads()
        for iteration in self._trees:
            for number, predict in enumerate(iteration):
                raw[:, number] += predict(rows, *self._categories, threads)
        return raw

    def values(self, rows: Array) -> Array:
        found: Array = self._loss.link.inverse(self.raw(rows).ravel())
        return found

    def both(self, rows: Array) -> Both:
        """A classifier's likeliest classes and the probabilities of all."""
        assert self._classes is not None
        raw = self.raw(rows)
        places = (raw.ravel() > 0).astype(int) if raw.shape[1] == 1 else numpy.argmax(raw, axis=1)
        return self._classes[places], self._loss.predict_proba(raw)


def fast(estimator: Any) -> Fast:
    histogram = Histogram(estimator)
    convert = plain(estimator, numpy.float64, PLAIN_KINDS, in_pipeline=True)  # the order in memory is nothing to trees
    names = getattr(estimator, "feature_names_in_", None)
    classes = getattr(estimator, "classes_", None)

    def rows_of(data: Any) -> Array | None:
        rows = convert(data)
        return rows if isinstance(rows, numpy.ndarray) else None  # sparse rows are refused by the estimator itself

    if classes is None:

        def regress(data: Any) -> Any:
            rows = rows_of(data)
            return estimator.predict(named(data, names)) if rows is None else histogram.values(rows)

        return Fast(regress, takes_matrix=True)

    def both(data: Any) -> Both:
        rows = rows_of(data)
        if rows is None:
            return estimator.predict(named(data, names)), estimator.predict_proba(named(data, names))
        return histogram.both(rows)

    labels = classes.tolist()
    return Fast(lambda data: both(data)[0], lambda data: (labels, both(data)[1]), takes_matrix=True, shared=both)

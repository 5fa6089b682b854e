"""scikit-learn's gradient boosting without what one predict costs beside the trees: validation, and a dummy estimator.

The stages are summed by scikit-learn's own compiled code, onto what its first estimator answers to every row alike.
"""

from typing import Any, TypeAlias

import numpy
from sklearn.dummy import DummyClassifier, DummyRegressor
from sklearn.ensemble import GradientBoostingClassifier, GradientBoostingRegressor
from sklearn.ensemble._gradient_boosting import predict_stages

Array: TypeAlias = numpy.ndarray[Any, Any]


class Boosting:
    """The raw predictions of one of the two: `(rows, 1)`, or one for each of three classes or more."""

    def __init__(self, estimator: Any) -> None:
        self._stages, self._rate, self._loss = estimator.estimators_, estimator.learning_rate, estimator._loss
        self._first: Array = estimator._raw_predict_init(numpy.zeros((1, estimator.n_features_in_), numpy.float32))

    @staticmethod
    def fits(estimator: Any) -> bool:
        """One of scikit-learn's own, started from a constant: a subclass may predict in another way."""
        if type(estimator) not in (GradientBoostingRegressor, GradientBoostingClassifier):
            return False
        first = getattr(estimator, "init_", None)
        return (isinstance(first, str) and first == "zero") or _is_constant(first)

    def raw(self, rows: Array) -> Array:
        """`rows`: float32, finite, of as many columns as the estimator was fitted on."""
        raw = numpy.repeat(self._first, len(rows), axis=0)
        predict_stages(self._stages, numpy.ascontiguousarray(rows), self._rate, raw)
        return raw

    def scores(self, rows: Array) -> Array:
        """A classifier's: one for each row if there are two classes, else one for each class."""
        raw = self.raw(rows)
        return raw.ravel() if raw.shape[1] == 1 else raw

    def probabilities(self, rows: Array) -> Array:
        found: Array = self._loss.predict_proba(self.scores(rows))
        return found

    def places(self, rows: Array) -> Array:
        """Of the likeliest classes, among the estimator's own."""
        scores = self.scores(rows)
        found: Array = (scores >= 0).astype(int) if scores.ndim == 1 else numpy.argmax(scores, axis=1)
        return found


def _is_constant(first: Any) -> bool:
    """Answers every row alike. A drawing dummy does not."""
    if type(first) is DummyClassifier:
        return first.strategy in ("prior", "most_frequent", "constant")
    return type(first) is DummyRegressor

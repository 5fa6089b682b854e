"""scikit-learn's linear models without the checks that cost a hundred times the product: the same product, no more.

Whoever calls keeps the rows' order in memory as scikit-learn would, because BLAS may round otherwise in another.
"""

import copy
from typing import Any, TypeAlias

import numpy
from sklearn.linear_model import (
    ElasticNet,
    ElasticNetCV,
    Lasso,
    LassoCV,
    LinearRegression,
    LogisticRegression,
    LogisticRegressionCV,
    Ridge,
    RidgeCV,
)
from sklearn.svm import LinearSVC

Array: TypeAlias = numpy.ndarray[Any, Any]

REGRESSORS = (LinearRegression, Ridge, RidgeCV, Lasso, LassoCV, ElasticNet, ElasticNetCV)


class Linear:
    def __init__(self, estimator: Any) -> None:
        self._coefficients: Array = estimator.coef_.T if estimator.coef_.ndim == 2 else estimator.coef_
        self._in_order = numpy.ascontiguousarray(self._coefficients)  # as a sparse product wants them, each time
        self._intercept = estimator.intercept_

    @staticmethod
    def fits(estimator: Any) -> bool:
        """One of scikit-learn's own, fitted in double precision: a subclass may predict in another way."""
        is_ours = type(estimator) in (*REGRESSORS, LogisticRegression, LogisticRegressionCV, LinearSVC)
        coefficients = getattr(estimator, "coef_", None)
        return is_ours and isinstance(coefficients, numpy.ndarray) and coefficients.dtype == numpy.float64

    def values(self, rows: Any) -> Array:
        """`rows`: float64 and finite, dense or SciPy's compressed sparse rows."""
        coefficients = self._coefficients if isinstance(rows, numpy.ndarray) else self._in_order
        product: Array = rows @ coefficients + self._intercept
        return product

    def scores(self, rows: Any) -> Array:
        """A classifier's: one for each row if there are two classes, else one for each class."""
        values = self.values(rows)
        return values.reshape(-1) if values.ndim > 1 and values.shape[1] == 1 else values


class QuickLogistic(LogisticRegression):  # type: ignore[misc]
    """Its probabilities from the quick scores, by scikit-learn's own code."""

    _linear: Linear

    def decision_function(self, X: Any) -> Array:  # noqa: N803
        return self._linear.scores(X)

    @staticmethod
    def of(estimator: LogisticRegression) -> "QuickLogistic":
        quick = copy.copy(estimator)
        quick.__class__ = QuickLogistic
        assert isinstance(quick, QuickLogistic)
        quick._linear = Linear(estimator)
        return quick

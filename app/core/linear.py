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

Array: TypeAlias = numpy.ndarray[Any, Any]

REGRESSORS = (LinearRegression, Ridge, RidgeCV, Lasso, LassoCV, ElasticNet, ElasticNetCV)


class Linear:
    def __init__(self, estimator: Any) -> None:
        self._coefficients: Array = estimator.coef_.T if estimator.coef_.ndim == 2 else estimator.coef_
        self._intercept = estimator.intercept_

    @staticmethod
    def fits(estimator: Any) -> bool:
        """One of scikit-learn's own, fitted in double precision: a subclass may predict in another way."""
        is_ours = type(estimator) in (*REGRESSORS, LogisticRegression, LogisticRegressionCV)
        coefficients = getattr(estimator, "coef_", None)
        return is_ours and isinstance(coefficients, numpy.ndarray) and coefficients.dtype == numpy.float64

    def values(self, rows: Array) -> Array:
        """`rows`: float64 and finite."""
        product: Array = rows @ self._coefficients + self._intercept
        return product

    def scores(self, rows: Array) -> Array:
        """A classifier's: one for each row if there are two classes, else one for each class."""
        values = self.values(rows)
        return values.reshape(-1) if values.ndim > 1 and values.shape[1] == 1 else values


class QuickLogistic(LogisticRegression):  # type: ignore[misc]
    """Its probabilities from the quick scores, by scikit-learn's own code."""

    def decision_function(self, X: Array) -> Array:  # noqa: N803
        return Linear(self).scores(X)

    @staticmethod
    def of(estimator: LogisticRegression) -> "QuickLogistic":
        quick = copy.copy(estimator)
        quick.__class__ = QuickLogistic
        assert isinstance(quick, QuickLogistic)
        return quick

"""The strings that an estimator has learnt: categories, and the words of text vectorizers."""

from typing import Any

from sklearn.base import BaseEstimator

AT_MOST = 2000


def words(estimator: Any) -> list[str]:
    found: set[str] = set()
    for part in _fitted(estimator, depth=6):
        found.update(str(word) for word in getattr(part, "vocabulary_", {}))
        for column in getattr(part, "categories_", []):
            found.update(value for value in column if isinstance(value, str))
    return sorted(found)[:AT_MOST]


def _fitted(value: Any, depth: int) -> list[BaseEstimator]:
    """The estimators in an estimator, as they were fitted."""
    if depth and isinstance(value, BaseEstimator):
        return [value, *(part for held in vars(value).values() for part in _fitted(held, depth - 1))]
    if depth and isinstance(value, list | tuple):
        return [part for held in value for part in _fitted(held, depth - 1)]
    return []

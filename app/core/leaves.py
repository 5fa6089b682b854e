"""LightGBM's models on a matrix: what their scikit-learn wrapper does with a frame of numbers, without the frame.

The wrapper looks its settings up and pandas' columns over at each predict, then asks its booster, which wants a matrix.
Which settings it asks with is seen once, when the model is loaded. Whatever is no matrix goes to MLflow's own way.
"""

import copy
from collections.abc import Callable
from typing import Any, TypeAlias

import lightgbm
import numpy
import pandas

from app.core.fast import Both, Fast

Array: TypeAlias = numpy.ndarray[Any, Any]


class _Watched:
    """Stands for an estimator's booster, to see how it is asked."""

    def __init__(self, booster: Any) -> None:
        self.booster = booster
        self.settings: dict[str, Any] = {}

    def predict(self, data: Any, **settings: Any) -> Any:
        self.settings = settings
        return self.booster.predict(data, **settings)


def fast(model: Any, ask: Callable[[Any], Any]) -> Fast | None:
    """`ask` is MLflow's own predict. None for a subclass, which may predict in another way, and for categories."""
    if type(model) in (lightgbm.LGBMRegressor, lightgbm.LGBMClassifier) and not callable(model._objective):
        booster = model.booster_
    elif type(model) is lightgbm.Booster:
        booster = model
    else:
        return None
    if booster.pandas_categorical:
        return None
    settings = {} if booster is model else _settings(model)

    def answer(data: Any) -> Any:
        return booster.predict(data, **settings) if is_matrix(data) else ask(data)

    if type(model) is not lightgbm.LGBMClassifier:
        return Fast(answer, takes_matrix=True)
    classes, labels = model.classes_, model.classes_.tolist()

    def probabilities(data: Any) -> Array:
        if not is_matrix(data):
            return model.predict_proba(data)  # type: ignore[no-any-return]
        found: Array = booster.predict(data, **settings)
        return numpy.vstack((1.0 - found, found)).transpose() if found.ndim == 1 else found

    def both(data: Any) -> Both:
        found = probabilities(data)
        return classes[numpy.argmax(found, axis=1)] if is_matrix(data) else ask(data), found

    return Fast(
        lambda data: both(data)[0] if is_matrix(data) else ask(data),
        lambda data: (labels, probabilities(data)),
        takes_matrix=True,
        shared=both,
    )


def is_matrix(data: Any) -> bool:
    return isinstance(data, numpy.ndarray) and data.ndim == 2


def _settings(model: Any) -> dict[str, Any]:
    watched, shown = _Watched(model.booster_), copy.copy(model)
    shown._Booster = watched
    shown.predict(pandas.DataFrame(numpy.zeros((1, model.n_features_in_))))
    return watched.settings

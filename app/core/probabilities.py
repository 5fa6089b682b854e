"""Class labels and their probabilities, where a model has them: next to its prediction, never instead of it."""

from typing import Any

import numpy

from app.core.columns import framed
from app.core.inputs import Input
from app.core.model import LoadedModel, refused
from app.core.openinference_tensor import Array

# Labels in the order of the columns, and a row of probabilities for each row of the input.
Labelled = tuple[list[Any], Array]


def probabilities(model: LoadedModel, given: Input) -> Labelled | None:
    """On the scoring thread. Raises BadInputError or ModelFailedError, as a prediction does."""
    if model.classes is None:
        return None
    return model.classes, refused(lambda: _rows(model, given))


def labelled(model: LoadedModel, data: Any) -> tuple[Any, Array]:
    """Predictions and probabilities of a classifier for enforced data, out of one scoring where that is known."""
    found = model.scorer.both(data)
    if found is None:
        found = model.scorer.predict(data, None), model.estimator.predict_proba(framed(data))
    return found[0], numpy.asarray(found[1], dtype=numpy.float64)


def _rows(model: LoadedModel, given: Input) -> Array:
    data, _ = model.scorer.enforce(given.data, given.params)
    found = model.scorer.probabilities(data)
    rows = model.estimator.predict_proba(data) if found is None else found[1]
    return numpy.asarray(rows, dtype=numpy.float64)

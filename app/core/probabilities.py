"""Class labels and their probabilities, where a model has them: next to its prediction, never instead of it."""

from typing import Any

import numpy
from mlflow.models import Model as Metadata
from mlflow.models.utils import _enforce_schema

from app.core.inputs import Input
from app.core.model import LoadedModel, refused
from app.core.openinference_tensor import Array

# Labels in the order of the columns, and a row of probabilities for each row of the input.
Labelled = tuple[list[Any], Array]


def classes(model: LoadedModel) -> list[Any] | None:
    """The labels that the model's probabilities belong to; None for what is no classifier of one target."""
    estimator = _estimator(model)
    labels = getattr(estimator, "classes_", None)
    if labels is None or not hasattr(estimator, "predict_proba") or isinstance(labels, list):
        return None
    found: list[Any] = numpy.asarray(labels).tolist()
    return found


def probabilities(model: LoadedModel, given: Input) -> Labelled | None:
    """On the scoring thread. Raises BadInputError or ModelFailedError, as a prediction does."""
    labels = classes(model)
    if labels is None:
        return None
    estimator, metadata = _estimator(model), model.pyfunc.metadata
    rows = refused(lambda: estimator.predict_proba(_enforced(given.data, metadata)))
    return labels, numpy.asarray(rows)


def _enforced(data: Any, metadata: Metadata) -> Any:
    schema = metadata.get_input_schema()
    return data if schema is None else _enforce_schema(data, schema)


def _estimator(model: LoadedModel) -> Any:
    try:
        return model.pyfunc.get_raw_model()
    except NotImplementedError:
        return None

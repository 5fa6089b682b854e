"""The body of a plain prediction's answer: what Flask's path would give, byte for byte, for less."""

import json
from math import isfinite
from typing import Any

import numpy

from app.core import openinference_output, rows
from app.core.batch import Call
from app.core.inputs import Input
from app.core.model import render
from app.core.plain import Table
from app.core.probabilities import Labelled

PLAIN_KINDS = "fiubU"  # of NumPy: what json writes as MLflow's encoder does


def rendered(call: Call, spoken: str) -> bytes:
    """The body of the answer. Raises ModelFailedError for what JSON cannot hold."""
    predictions = call.predictions
    if spoken == "mlflow":
        return written(predictions)
    if spoken == "v2":
        return tensors(call)
    if not is_finite(predictions) or (call.labelled and not is_finite(call.probabilities)):
        labels = call.lane.labels if call.labelled else None
        return rows.answer(predictions, None if labels is None else (labels, call.probabilities)).encode()
    if not call.labelled:
        return written(predictions)
    more = {"classes": call.lane.labels, "probabilities": call.probabilities.tolist()}
    return json.dumps({"predictions": predictions.tolist(), **more}).encode()


def tensors(call: Call) -> bytes:
    """The body of an answer in the Open Inference Protocol."""
    model = call.lane.model
    assert isinstance(call.given, Table)
    assert call.given.asked is not None

    def labels() -> Labelled | None:
        return (call.lane.labels, call.probabilities) if call.labelled and call.lane.labels is not None else None

    schema = model.pyfunc.metadata.get_output_schema()
    outputs = openinference_output.outputs(call.given.asked, call.predictions, schema, labels)
    return openinference_output.answer(model.version, call.given.asked, outputs).body


def written(predictions: Any) -> bytes:
    """As `render` writes it; an array of plain values needs no encoder's help for that."""
    if not isinstance(predictions, numpy.ndarray) or predictions.dtype.kind not in PLAIN_KINDS:
        return render(predictions, Input(None, None)).encode()
    values = predictions.tolist()
    if len(values) == 1 and type(values[0]) is float and isfinite(values[0]):
        return b'{"predictions": [%b]}' % repr(values[0]).encode()
    return json.dumps({"predictions": values}).encode()


def is_finite(values: Any) -> bool:
    """An array of plain values that JSON holds as they are."""
    if not isinstance(values, numpy.ndarray) or values.dtype.kind not in PLAIN_KINDS:
        return False
    return values.dtype.kind != "f" or bool(numpy.isfinite(values).all())

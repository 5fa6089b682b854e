"""What a model returned as the tensors of a V2 answer, and the answer's bytes.

A frame or a dictionary is an output per column or key, everything else is one output. Text is BYTES; so is whatever is
neither number nor text, as JSON by MLflow's own encoder.
"""

import base64
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy
import pandas
from mlflow.types import Schema
from mlflow.utils.proto_json_utils import NumpyEncoder

from app.core.deployment import ModelVersion
from app.core.errors import BadInputError, ModelFailedError
from app.core.openinference_request import Request, RequestedOutput
from app.core.openinference_signature import CLASSES, LABELS, PROBABILITIES, datatype, output_name
from app.core.openinference_tensor import Array, to_bytes, to_json
from app.core.probabilities import Labelled


@dataclass(frozen=True)
class Answer:
    """`header_length` is the length of the JSON that binary data follows; None when there is none."""

    body: bytes
    header_length: int | None


def arrays(predictions: Any, schema: Schema | None) -> dict[str, Array]:
    """Outputs by name. Raises ModelFailedError for what no tensor can hold."""
    if isinstance(predictions, pandas.DataFrame):
        return {str(name): _array(predictions[name]) for name in predictions.columns}
    if isinstance(predictions, Mapping):
        return {str(name): _array(value) for name, value in predictions.items()}
    return {output_name(schema): _array(predictions)}


def outputs(
    request: Request, predictions: Any, schema: Schema | None, labels: Callable[[], Labelled | None]
) -> dict[str, Array]:
    """What the answer may hold. `labels` is called only when they are asked for, and are no outputs of the model."""
    found = arrays(predictions, schema)
    if any(wanted.name not in found for wanted in request.outputs if wanted.name in LABELS):
        return {**_labelled(labels()), **found}
    return found


def _labelled(found: Labelled | None) -> dict[str, Array]:
    """The outputs that a classifier has besides its prediction."""
    return {PROBABILITIES: _array(found[1]), CLASSES: _array(found[0])} if found else {}


def answer(version: ModelVersion, request: Request, outputs: dict[str, Array]) -> Answer:
    """Raises BadInputError when an output is asked for that there is not."""
    parts: list[bytes] = []
    described = [_output(wanted, outputs, parts) for wanted in _wanted(request, outputs)]
    head: dict[str, Any] = {"model_name": version.name, "model_version": version.version}
    if request.id is not None:
        head["id"] = request.id
    text = json.dumps({**head, "outputs": described}, allow_nan=False).encode()
    binary = any("binary_data_size" in output.get("parameters", {}) for output in described)
    return Answer(b"".join([text, *parts]), len(text) if binary else None)


def _wanted(request: Request, outputs: dict[str, Array]) -> list[RequestedOutput]:
    for wanted in request.outputs:
        if wanted.name not in outputs:
            names = ", ".join(outputs)
            raise BadInputError(f"the model has no output {wanted.name[:200]!r}, expected one of: {names}")
    return request.outputs or [RequestedOutput(name, request.binary) for name in outputs]


def _output(wanted: RequestedOutput, outputs: dict[str, Array], parts: list[bytes]) -> dict[str, Any]:
    array = outputs[wanted.name]
    found = {"name": wanted.name, "datatype": datatype(array.dtype), "shape": list(array.shape)}
    if wanted.binary:
        parts.append(to_bytes(array))
        return {**found, "parameters": {"binary_data_size": len(parts[-1])}}
    if array.dtype.kind == "O" and any(isinstance(item, bytes) for item in array.ravel()):
        texts = [item if item is None else base64.b64encode(item).decode() for item in array.ravel()]
        return {**found, "parameters": {"content_type": "base64"}, "data": texts}
    return {**found, "data": to_json(array)}


def _array(values: Any) -> Array:
    """An array of a dtype that a datatype has: numbers and truths as they are, all else objects of str or bytes."""
    found = _raw(values)
    found = found.reshape(1) if found.ndim == 0 else found
    if found.dtype.kind == "O":
        found = _inferred(found)
    if found.dtype.kind == "f" and found.dtype.itemsize > 8:
        found = found.astype(numpy.float64)
    if found.dtype.kind in "biuf":
        return found.astype(found.dtype.newbyteorder("<"), copy=False)
    texts = numpy.datetime_as_string(found) if found.dtype.kind == "M" else found
    strings = numpy.empty(found.shape, dtype=object)
    flat = [_text(item) for item in texts.ravel().tolist()]
    strings.ravel()[:] = _alike(flat)
    return strings


def _raw(values: Any) -> Array:
    if isinstance(values, pandas.Series | pandas.Index):
        return values.to_numpy()  # type: ignore[no-any-return]
    if hasattr(values, "toarray"):  # a sparse matrix
        return numpy.asarray(values.toarray())
    try:
        return numpy.asarray(values)
    except ValueError:  # rows of different lengths
        found = numpy.empty(len(values), dtype=object)
        found[:] = list(values)
        return found


def _inferred(found: Array) -> Array:
    """Objects that are all truths or all numbers as such; a missing value among numbers is NaN."""
    items: list[Any] = [None if _missing(item) else item for item in found.ravel().tolist()]
    types = set(map(type, items))
    if types == {bool}:
        return numpy.array(items, dtype=bool).reshape(found.shape)
    if types == {int} and all(-(2**63) <= item < 2**63 for item in items):
        return numpy.array(items, dtype=numpy.int64).reshape(found.shape)
    if float in types and types <= {int, float, type(None)}:
        return numpy.array(items, dtype=numpy.float64).reshape(found.shape)
    return found


def _missing(item: Any) -> bool:
    return item is None or item is pandas.NA or item is pandas.NaT


def _text(item: Any) -> Any:
    if isinstance(item, str | bytes):
        return item
    if _missing(item):
        return None
    try:
        return json.dumps(item, cls=NumpyEncoder)
    except (TypeError, ValueError, RecursionError) as error:
        raise ModelFailedError(f"the model returned a {type(item).__name__} that JSON cannot hold") from error


def _alike(flat: list[Any]) -> list[Any]:
    """Text and bytes in one tensor cannot be told apart by who reads it: then all is text."""
    if not any(isinstance(item, str) for item in flat):
        return flat
    return [item.decode("utf-8", "replace") if isinstance(item, bytes) else item for item in flat]

"""A model's signature in the words of the Open Inference Protocol: names, datatypes and shapes of its tensors.

A column is a tensor of one dimension, an array column has one more for each level; what is neither number nor text
(objects, maps) travels as JSON in BYTES.
"""

from typing import Any

import numpy
from mlflow.models import Model as Metadata
from mlflow.types import ColSpec, DataType, Schema, TensorSpec
from mlflow.types.schema import Array

from app.core.openinference_tensor import DATATYPES

PREDICTIONS = "predictions"  # the name of an output that the signature does not name
PROBABILITIES = "probabilities"
CLASSES = "classes"
LABELS = frozenset({PROBABILITIES, CLASSES})  # what a classifier has besides its prediction

_COLUMNS = {
    DataType.boolean: "BOOL",
    DataType.integer: "INT32",
    DataType.long: "INT64",
    DataType.float: "FP32",
    DataType.double: "FP64",
}
_BY_DTYPE = {dtype: name for name, dtype in DATATYPES.items()}


def describe(metadata: Metadata, classes: list[Any] | None) -> dict[str, Any]:
    """`inputs` and `outputs` of the model's metadata. `classes` are the labels of a classifier, if it is one."""
    outputs = _outputs(metadata.get_output_schema())
    names = [output["name"] for output in outputs]
    if classes is not None and PROBABILITIES not in names:
        outputs.append({"name": PROBABILITIES, "datatype": "FP64", "shape": [-1, len(classes)]})
        if CLASSES not in names:
            labels = datatype(numpy.asarray(classes).dtype)
            outputs.append({"name": CLASSES, "datatype": labels, "shape": [len(classes)]})
    return {"inputs": _inputs(metadata.get_input_schema()), "outputs": outputs}


def datatype(dtype: Any) -> str:
    """The datatype of a NumPy dtype; BYTES for whatever is no number."""
    found = numpy.dtype(dtype)
    return _BY_DTYPE.get(found.newbyteorder("<") if found.kind in "iuf" else found, "BYTES")


def column_datatype(column_type: Any) -> str:
    return _COLUMNS.get(column_type, "BYTES") if isinstance(column_type, DataType) else "BYTES"


def input_names(schema: Schema) -> list[str]:
    """The names of the columns or tensors; those of a signature without names are their numbers."""
    named: list[str] = schema.input_names() if schema.has_input_names() else []
    return named or [str(number) for number in range(len(schema.inputs))]


def output_name(schema: Schema | None) -> str:
    """The name of the one output of a model that returns no names of its own."""
    if schema is not None and len(schema.inputs) == 1 and schema.inputs[0].name:
        return str(schema.inputs[0].name)
    return PREDICTIONS


def _inputs(schema: Schema | None) -> list[dict[str, Any]]:
    if schema is None:
        return []
    return [_tensor(name, spec) for name, spec in zip(input_names(schema), schema.inputs, strict=True)]


def _outputs(schema: Schema | None) -> list[dict[str, Any]]:
    if schema is None:
        return []
    if len(schema.inputs) == 1:
        return [_tensor(output_name(schema), schema.inputs[0])]
    if schema.has_input_names():
        return [_tensor(spec.name, spec) for spec in schema.inputs]
    return [{**_tensor(PREDICTIONS, schema.inputs[0]), "shape": [-1, len(schema.inputs)]}]


def _tensor(name: str, spec: ColSpec | TensorSpec) -> dict[str, Any]:
    if isinstance(spec, TensorSpec):
        return {"name": name, "datatype": datatype(spec.type), "shape": [int(size) for size in spec.shape]}
    shape, inner = [-1], spec.type
    while isinstance(inner, Array):
        shape, inner = [*shape, -1], inner.dtype
    if not isinstance(inner, DataType):
        shape = [-1]
    return {"name": name, "datatype": column_datatype(inner), "shape": shape}

"""The tensors of a V2 request as a model's input: a frame, an array, or arrays by name, as its signature says.

A model with columns takes a tensor per column, or one matrix with its columns in the signature's order. A tensor keeps
the datatype that it declares, and MLflow's enforcement decides whether the column takes it; only a matrix, whose
columns must share one datatype, is cast column by column where no number changes by that.
"""

import json
from typing import Any

import numpy
import pandas
from mlflow.models import Model as Metadata
from mlflow.types import ColSpec, DataType, Schema

from app.core.body import shorten
from app.core.errors import BadInputError
from app.core.inputs import Input, bounded
from app.core.openinference_request import Request
from app.core.openinference_signature import column_datatype, input_names
from app.core.openinference_tensor import Array, Tensor


def to_input(request: Request, metadata: Metadata) -> Input:
    """Raises BadInputError, naming the input. Request parameters that the signature knows are the model's params."""
    schema, known = metadata.get_input_schema(), metadata.get_params_schema()
    names = [spec.name for spec in known.params] if known else []
    params = {name: value for name, value in request.parameters.items() if name in names}
    if schema is None:
        data = _unsigned(request.inputs)
    elif schema.is_tensor_spec():
        data = _arrays(request.inputs, schema)
    else:
        data = _frame(request.inputs, schema)
    return bounded(Input(data, params or None))


def _unsigned(tensors: list[Tensor]) -> Any:
    arrays = {tensor.name: _array(tensor) for tensor in tensors}
    if len(arrays) == 1:
        return next(iter(arrays.values()))
    if all(_is_column(array) for array in arrays.values()) and len({len(array) for array in arrays.values()}) == 1:
        return pandas.DataFrame({name: array.ravel() for name, array in arrays.items()})
    return arrays


def _arrays(tensors: list[Tensor], schema: Schema) -> Any:
    if not schema.has_input_names():
        if len(tensors) != 1:
            raise BadInputError(f"the request has {len(tensors)} inputs, expected one tensor")
        return _array(tensors[0])
    names = input_names(schema)
    _check_names([tensor.name for tensor in tensors], names, names)
    return {tensor.name: _array(tensor) for tensor in tensors}


def _array(tensor: Tensor) -> Array:
    if tensor.datatype != "BYTES":
        return tensor.array
    texts = tensor.texts()
    return numpy.array(texts, dtype=object if None in texts else str).reshape(tensor.array.shape)


def _frame(tensors: list[Tensor], schema: Schema) -> pandas.DataFrame:
    frame = pandas.DataFrame(columns(tensors, schema, input_names(schema)))
    if not schema.has_input_names():
        frame.columns = pandas.RangeIndex(len(frame.columns))
    return frame


def columns(tensors: list[Tensor], schema: Schema, names: list[str]) -> dict[str, Any]:
    """An array for each column that came, or a list of what no array holds. `names` are the schema's `input_names`."""
    matrix = as_matrix(tensors, names)
    if matrix is None:
        return _columns(tensors, schema, names)
    specs = zip(names, schema.inputs, strict=True)
    return {name: _cast(_column(matrix, number), spec) for number, (name, spec) in enumerate(specs)}


def as_matrix(tensors: list[Tensor], names: list[str]) -> Tensor | None:
    """The one input that is all columns at once, whatever its name; None when the inputs are columns by name."""
    if len(tensors) != 1 or (tensors[0].name in names and (len(names) > 1 or tensors[0].array.ndim != 2)):
        return None
    array = tensors[0].array
    if (array.ndim == 1 and len(names) == 1) or (array.ndim == 2 and array.shape[1] == len(names)):
        return Tensor(tensors[0].name, tensors[0].datatype, array.reshape(len(array), len(names)))
    expected = f"a tensor for each of the columns {_listed(names)}, or one of shape [-1, {len(names)}]"
    raise BadInputError(f"input {tensors[0].name!r} has the shape {tensors[0].shape}, expected {expected}")


def _column(matrix: Tensor, number: int) -> Tensor:
    return Tensor(matrix.name, matrix.datatype, matrix.array[:, number])


def _columns(tensors: list[Tensor], schema: Schema, names: list[str]) -> dict[str, Any]:
    specs = dict(zip(names, schema.inputs, strict=True))
    required = [name for name, spec in specs.items() if spec.required]
    _check_names([tensor.name for tensor in tensors], names, required)
    first = tensors[0]
    for tensor in tensors:
        if tensor.array.ndim == 0 or len(tensor.array) != len(first.array):
            expected = f"as many rows as input {first.name!r}, which has the shape {first.shape}"
            raise BadInputError(f"input {tensor.name!r} has the shape {tensor.shape}, expected {expected}")
    given = {tensor.name: tensor for tensor in tensors}
    return {name: _series(given[name], specs[name]) for name in names if name in given}


def _series(tensor: Tensor, spec: ColSpec) -> Any:
    if not isinstance(spec.type, DataType):
        return _nested(tensor)
    if not _is_column(tensor.array):
        raise BadInputError(f"input {tensor.name!r} has the shape {tensor.shape}, expected [-1] or [-1, 1]")
    expected = column_datatype(spec.type)
    if (expected == "BYTES") != (tensor.datatype == "BYTES"):
        kind = f"{expected} for a column of type {spec.type.name}"
        raise BadInputError(f"input {tensor.name!r} has the datatype {tensor.datatype}, expected {kind}")
    if tensor.datatype != "BYTES":
        return tensor.array.ravel()
    if spec.type == DataType.binary:
        return [item.encode() if isinstance(item, str) else item for item in tensor.array.ravel()]
    return tensor.texts() if spec.type == DataType.string else _times(tensor)


def _times(tensor: Tensor) -> Any:
    try:
        return pandas.to_datetime(pandas.Series(tensor.texts(), dtype=object)).astype("datetime64[ns]")
    except (ValueError, TypeError, OverflowError) as error:
        raise BadInputError(f"input {tensor.name!r} is no date or time: {shorten(str(error))}") from error


def _nested(tensor: Tensor) -> list[Any]:
    """Rows of lists, or of JSON where the elements are BYTES."""
    if tensor.datatype != "BYTES":
        return tensor.array.tolist()  # type: ignore[no-any-return]
    if not _is_column(tensor.array):
        return numpy.array(tensor.texts(), dtype=object).reshape(tensor.array.shape).tolist()  # type: ignore[no-any-return]
    try:
        return [None if item is None else json.loads(item) for item in tensor.texts()]
    except (ValueError, RecursionError) as error:
        raise BadInputError(f"input {tensor.name!r} is not JSON, which its column needs: {error}") from error


def _cast(tensor: Tensor, spec: ColSpec) -> Any:
    given = _series(tensor, spec)
    if tensor.datatype == "BYTES" or not isinstance(spec.type, DataType):
        return given
    return cast(given, spec.type.to_numpy())


def cast(given: Array, dtype: Any) -> Array:
    """What a matrix holds, as a column's own numbers; as it is where a number would change by that."""
    with numpy.errstate(over="ignore", invalid="ignore"):
        if dtype.kind == "f" and given.dtype.kind in "iuf":
            return given.astype(dtype, copy=False)
        if given.dtype.kind in "iuf" and dtype.kind == "i":
            whole = given.astype(dtype)
            return whole if (whole == given).all() else given
    return given


def _is_column(array: Array) -> bool:
    return array.ndim == 1 or (array.ndim == 2 and array.shape[1] == 1)


def _check_names(given: list[str], known: list[str], required: list[str]) -> None:
    if unknown := [name for name in given if name not in set(known)]:
        raise BadInputError(f"there is no input {shorten(unknown[0])!r}, expected {_listed(known)}")
    if missing := [name for name in required if name not in set(given)]:
        raise BadInputError(f"the request lacks the input {missing[0]!r}, expected {_listed(known)}")


def _listed(names: list[str]) -> str:
    return shorten(", ".join(names))

"""Tensors of the Open Inference Protocol (V2): a datatype, a shape, and values as JSON or as bytes, both ways.

https://github.com/kserve/open-inference-protocol and, for bytes, Triton's binary tensor data extension. A value must be
of the datatype that the tensor declares: 1 is no BOOL, 300 no UINT8, and 1e39 no FP32. A null is a missing value, in
floats and BYTES only, since JSON has no NaN.
"""

import base64
import math
import struct
from dataclasses import dataclass, field
from itertools import chain
from typing import Any

import numpy

from app.core.body import json_type, shorten
from app.core.errors import BadInputError

Array = numpy.ndarray[Any, numpy.dtype[Any]]

DATATYPES: dict[str, numpy.dtype[Any]] = {
    "BOOL": numpy.dtype("?"),
    **{f"UINT{bits}": numpy.dtype(f"<u{bits // 8}") for bits in (8, 16, 32, 64)},
    **{f"INT{bits}": numpy.dtype(f"<i{bits // 8}") for bits in (8, 16, 32, 64)},
    **{f"FP{bits}": numpy.dtype(f"<f{bits // 8}") for bits in (16, 32, 64)},
    "BYTES": numpy.dtype(object),
}
RANK_AT_MOST = 32
DIMENSION_AT_MOST = 2**31 - 1
_LENGTH = struct.Struct("<I")
_KINDS: dict[str, tuple[set[type], str]] = {
    "b": ({bool}, "a boolean"),
    "i": ({int}, "a whole number"),
    "u": ({int}, "a whole number"),
    "f": ({int, float, type(None)}, "a number"),
    "O": ({str, type(None)}, "a string"),
}


@dataclass(frozen=True)
class Tensor:
    """`array` of BYTES holds str (from JSON), bytes (from binary data) or None."""

    name: str
    datatype: str
    array: Array
    parameters: dict[str, Any] = field(default_factory=dict)

    @property
    def shape(self) -> list[int]:
        return list(self.array.shape)

    def texts(self) -> list[Any]:
        """The elements of a BYTES tensor as strings, in row-major order. Raises BadInputError."""
        return [self._text(number, item) for number, item in enumerate(self.array.ravel())]

    def _text(self, number: int, item: Any) -> Any:
        try:
            return item.decode("utf-8") if isinstance(item, bytes) else item
        except UnicodeDecodeError as error:
            raise BadInputError(f"element {number} of input {self.name!r} is not UTF-8: {error.reason}") from error


def from_json(name: str, datatype: str, shape: list[int], data: Any, parameters: dict[str, Any]) -> Tensor:
    """Flat or nested data. Raises BadInputError, naming the input and the first element that does not fit."""
    flat = _flat(name, shape, data)
    dtype = DATATYPES[datatype]
    types, expected = _KINDS[dtype.kind]
    if not set(map(type, flat)) <= types:
        number, item = next((number, item) for number, item in enumerate(flat) if type(item) not in types)
        raise BadInputError(
            f"element {number} of input {name!r} is {json_type(item)}, expected {expected}: its datatype is {datatype}"
        )
    if dtype.kind == "O":
        array = numpy.empty(len(flat), dtype=object)
        array[:] = _base64(name, flat) if parameters.get("content_type") == "base64" else flat
    else:
        array = _numbers(name, datatype, flat)
    return Tensor(name, datatype, _shaped(name, array, shape), parameters)


def from_bytes(name: str, datatype: str, shape: list[int], data: bytes, parameters: dict[str, Any]) -> Tensor:
    count, dtype = math.prod(shape), DATATYPES[datatype]
    if dtype.kind == "O":
        array = _strings(name, data, count)
    elif len(data) != count * dtype.itemsize:
        expected = f"{count * dtype.itemsize} for {datatype} of shape {shape}"
        raise BadInputError(f"input {name!r} has {len(data)} bytes of binary data, expected {expected}")
    elif dtype.kind == "b" and not set(data) <= {0, 1}:
        raise BadInputError(f"input {name!r} has a byte other than 0 and 1, and its datatype is BOOL")
    else:
        array = numpy.frombuffer(data, dtype=dtype).copy()  # a model may write to its input
    return Tensor(name, datatype, _shaped(name, array, shape), parameters)


def to_json(array: Array) -> list[Any]:
    """Row-major and flat. What JSON cannot hold, NaN and infinity, is null: binary data keeps it."""
    flat = array.ravel()
    if flat.dtype.kind == "f" and not numpy.isfinite(flat).all():
        return [item if math.isfinite(item) else None for item in flat.tolist()]
    items: list[Any] = flat.tolist()
    return items


def to_bytes(array: Array) -> bytes:
    if array.dtype.kind != "O":
        return array.tobytes()
    return b"".join(part for item in array.ravel() for part in _counted(item))


def _counted(item: Any) -> tuple[bytes, bytes]:
    content = item if isinstance(item, bytes) else b"" if item is None else str(item).encode()
    return _LENGTH.pack(len(content)), content


def _flat(name: str, shape: list[int], data: Any) -> list[Any]:
    if not isinstance(data, list):
        raise BadInputError(f'"data" of input {name!r} is {json_type(data)}, expected a list')
    nested = any(isinstance(item, list) for item in data)
    levels = shape if nested else [math.prod(shape)]
    items: list[Any] = [data]
    for depth, size in enumerate(levels):
        for item in items:
            if not isinstance(item, list) or len(item) != size:
                found = f"{len(item)} items" if isinstance(item, list) else json_type(item)
                where = f" at depth {depth}" if depth else ""
                raise BadInputError(f'"data" of input {name!r} has {found}{where}, expected {size} for shape {shape}')
        items = list(chain.from_iterable(items))
    return items


def _numbers(name: str, datatype: str, flat: list[Any]) -> Array:
    dtype = DATATYPES[datatype]
    try:
        if datatype == "FP64":  # what JSON was read to is finite, and of this size already
            return numpy.array(flat, dtype=dtype)
        with numpy.errstate(over="ignore"):
            array = numpy.array(flat, dtype=dtype)
    except (OverflowError, ValueError, TypeError) as error:
        raise BadInputError(_out_of_range(name, datatype, flat)) from error
    if dtype.kind == "f" and numpy.isinf(array).any():
        raise BadInputError(_out_of_range(name, datatype, flat))
    return array


def _out_of_range(name: str, datatype: str, flat: list[Any]) -> str:
    """Names the first element that its datatype cannot hold."""
    dtype = DATATYPES[datatype]
    limits: Any = numpy.finfo(dtype) if dtype.kind == "f" else numpy.iinfo(dtype)
    low, high = (limits.min.item(), limits.max.item()) if dtype.kind == "f" else (limits.min, limits.max)
    numbers = enumerate(flat)
    number = next((number for number, item in numbers if item is not None and not low <= item <= high), None)
    where = "an element" if number is None else f"element {number}"
    return f"{where} of input {name!r} is out of range, expected {low} to {high}: its datatype is {datatype}"


def _base64(name: str, flat: list[Any]) -> list[Any]:
    try:
        return [item if item is None else base64.b64decode(item, validate=True) for item in flat]
    except ValueError as error:
        raise BadInputError(f"input {name!r} is not base64, as its content_type says: {error}") from error


def _strings(name: str, data: bytes, count: int) -> Array:
    """BYTES as binary data: each element is its length (four bytes, little endian) and its bytes."""
    found: list[bytes] = []
    place = 0
    while place < len(data) and len(found) < count:
        end = place + _LENGTH.size
        if end > len(data) or (last := end + _LENGTH.unpack_from(data, place)[0]) > len(data):
            raise BadInputError(f"element {len(found)} of input {name!r} is cut off in the binary data")
        found.append(data[end:last])
        place = last
    if place != len(data) or len(found) != count:
        more = "more bytes than" if place != len(data) else f"{len(found)} elements, not"
        raise BadInputError(f"the binary data of input {name!r} has {more} the {count} elements that its shape says")
    array = numpy.empty(count, dtype=object)
    array[:] = found
    return array


def _shaped(name: str, array: Array, shape: list[int]) -> Array:
    try:
        return array.reshape(shape)
    except ValueError as error:
        raise BadInputError(f"input {name!r} has the shape {shape}: {shorten(str(error))}") from error

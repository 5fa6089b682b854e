"""Tensors of the Open Inference Protocol: every datatype there and back, and nothing that is not what it claims."""

import json
import math
from typing import Any

import numpy
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from app.core.errors import BadInputError
from app.core.openinference_tensor import DATATYPES, from_bytes, from_json, to_bytes, to_json

shapes = arrays.array_shapes(min_dims=1, max_dims=3, min_side=0, max_side=4)


def nested(flat: list[Any], shape: tuple[int, ...]) -> list[Any]:
    if len(shape) == 1:
        return flat
    size = math.prod(shape[1:])
    return [nested(flat[row * size : (row + 1) * size], shape[1:]) for row in range(shape[0])]


def elements(datatype: str) -> Any:
    if datatype == "BYTES":
        return st.text(max_size=5)
    return arrays.from_dtype(DATATYPES[datatype], allow_nan=False, allow_infinity=False)


@pytest.mark.parametrize("datatype", DATATYPES)
def test_a_tensor_survives_json_flat_and_nested_and_bytes(datatype: str) -> None:
    @settings(max_examples=40, deadline=None)
    @given(st.data())
    def check(data: st.DataObject) -> None:
        shape = data.draw(shapes)
        array = data.draw(arrays.arrays(DATATYPES[datatype], shape, elements=elements(datatype)))
        flat = json.loads(json.dumps(to_json(array)))
        for given_data in (flat, nested(flat, shape)):
            again = from_json("x", datatype, list(shape), given_data, {}).array
            assert (again.dtype, again.shape) == (array.dtype, array.shape)
            assert (again == array).all()
        raw = from_bytes("x", datatype, list(shape), to_bytes(array), {})
        assert raw.shape == list(shape)
        assert raw.texts() == flat if datatype == "BYTES" else (raw.array == array).all()

    check()


def test_bytes_keep_what_json_writes_as_null() -> None:
    array = numpy.array([1.5, math.nan, math.inf], dtype=numpy.float32)
    assert to_json(array) == [1.5, None, None]
    again = from_bytes("x", "FP32", [3], to_bytes(array), {}).array
    assert again.tobytes() == array.tobytes()


def test_a_null_is_a_missing_value_of_floats_and_text_only() -> None:
    assert math.isnan(from_json("x", "FP64", [1], [None], {}).array[0])
    assert from_json("x", "BYTES", [2], [None, "a"], {}).texts() == [None, "a"]
    with pytest.raises(BadInputError, match="element 1 of input 'x' is null, expected a whole number"):
        from_json("x", "INT64", [2], [1, None], {})


def test_base64_is_read_where_the_content_type_says_so() -> None:
    assert from_json("x", "BYTES", [1], ["AP8="], {"content_type": "base64"}).array[0] == b"\0\xff"
    with pytest.raises(BadInputError, match="input 'x' is not base64"):
        from_json("x", "BYTES", [1], ["A"], {"content_type": "base64"})


@pytest.mark.parametrize(
    ("datatype", "shape", "data", "says"),
    [
        ("UINT8", [1], [300], "element 0 of input 'x' is out of range, expected 0 to 255"),
        ("INT64", [1], [2**63], "element 0 of input 'x' is out of range"),
        ("UINT64", [2], [0, -1], "element 1 of input 'x' is out of range"),
        ("FP32", [2], [0, 1e39], "element 1 of input 'x' is out of range"),
        ("FP16", [1], [70000], "is out of range"),
        ("FP64", [1], [10**400], "is out of range"),
        ("BOOL", [1], [1], "is a number, expected a boolean: its datatype is BOOL"),
        ("INT8", [1], [True], "is a boolean, expected a whole number"),
        ("INT8", [1], [1.0], "is a number, expected a whole number"),
        ("FP64", [1], ["1"], "is a string, expected a number"),
        ("BYTES", [1], [1], "is a number, expected a string"),
        ("FP64", [2], [1], "has 1 items, expected 2 for shape [2]"),
        ("FP64", [2, 2], [[1, 2], [3]], "has 1 items at depth 1, expected 2"),
        ("FP64", [2, 2], [[1, 2], 3], "has a number at depth 1, expected 2"),
        ("FP64", [2, 2], [[1, 2, 3, 4]], "has 1 items, expected 2 for shape [2, 2]"),
        ("FP64", [2], [[1], [2]], "is a list, expected a number"),
        ("FP64", [1], {"a": 1}, "is an object, expected a list"),
        ("FP64", [0, 2**31 - 1, 2**31 - 1, 2**31 - 1], [], "input 'x' has the shape"),
    ],
)
def test_data_that_is_not_of_its_datatype_and_shape_is_refused(
    datatype: str, shape: list[int], data: Any, says: str
) -> None:
    with pytest.raises(BadInputError) as refused:
        from_json("x", datatype, shape, data, {})
    assert says in refused.value.message


@pytest.mark.parametrize(
    ("datatype", "shape", "data", "says"),
    [
        ("FP64", [2], b"\0" * 15, "has 15 bytes of binary data, expected 16 for FP64 of shape [2]"),
        ("BOOL", [1], b"\2", "a byte other than 0 and 1"),
        ("BYTES", [1], b"\1\0\0", "element 0 of input 'x' is cut off"),
        ("BYTES", [1], b"\2\0\0\0a", "element 0 of input 'x' is cut off"),
        ("BYTES", [1], b"\xff\xff\xff\xffa", "element 0 of input 'x' is cut off"),
        ("BYTES", [2], b"\1\0\0\0a", "has 1 elements, not the 2 elements that its shape says"),
        ("BYTES", [1], b"\1\0\0\0a\0", "has more bytes than the 1 elements"),
    ],
)
def test_binary_data_that_is_not_what_the_shape_says_is_refused(
    datatype: str, shape: list[int], data: bytes, says: str
) -> None:
    with pytest.raises(BadInputError) as refused:
        from_bytes("x", datatype, shape, data, {})
    assert says in refused.value.message


def test_bytes_that_are_no_text_are_refused_where_text_is_needed() -> None:
    with pytest.raises(BadInputError, match="element 1 of input 'x' is not UTF-8"):
        from_bytes("x", "BYTES", [2], b"\1\0\0\0a\1\0\0\0\xff", {}).texts()

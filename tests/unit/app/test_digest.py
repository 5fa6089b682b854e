"""The digest of an answer: equal for answers that mean the same, whoever gave them."""

import json

import pytest

from app.core.digest import LARGEST_BYTES, digest


def of(answer: object) -> str:
    return digest(json.dumps(answer).encode())


def test_equal_predictions_have_one_digest_and_others_another() -> None:
    assert of({"predictions": [1.5, 2]}) == of({"predictions": [1.5, 2]})
    for other in ([1.5, 3], [1.6, 2], [2, 1.5], [1.5], [1.5, "2"], [1.5, None]):
        assert of({"predictions": other}) != of({"predictions": [1.5, 2]})


def test_a_rounding_error_is_no_difference() -> None:
    assert of({"predictions": [0.1 + 0.2, -0.0, 1e9 + 0.1]}) == of({"predictions": [0.3, 0.0, 1e9]})


def test_the_order_of_keys_and_white_space_are_nothing() -> None:
    assert digest(b'{"a":1,"b":2}\n') == digest(b'{"b": 2, "a": 1}')


def test_who_answered_whom_is_left_out() -> None:
    outputs = [{"name": "id", "shape": [1], "datatype": "INT64", "data": [7]}]
    first = {"model_name": "m", "model_version": "1", "id": "a", "outputs": outputs}
    assert of(first) == of({**first, "model_version": "2", "id": "b"})
    assert of(first) != of({**first, "outputs": [{**outputs[0], "name": "else"}]})
    error = {"code": "BAD_REQUEST", "message": "no x"}
    assert of({"error": {**error, "request_id": "1"}}) == of({"error": {**error, "request_id": "2"}})
    assert of({"predictions": [{"id": 1}]}) != of({"predictions": [{"id": 2}]}), "that is the model's own"


def test_binary_data_after_the_json_counts() -> None:
    head = b'{"model_version": "%b", "outputs": [{"name": "y"}]}'
    assert digest(head % b"1" + b"\x00\xff\x01") == digest(head % b"2" + b"\x00\xff\x01")
    assert digest(head % b"1" + b"\x00\xff\x01") != digest(head % b"1" + b"\x00\xff\x02")


@pytest.mark.parametrize("body", [b"", b"<html></html>", b"{cut", b"[" + b"1," * LARGEST_BYTES + b"1]"])
def test_what_cannot_be_read_again_has_none(body: bytes) -> None:
    assert digest(body) == ""

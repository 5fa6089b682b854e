"""Values on the wire, there and back."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from localcloud.provider.values import (
    ASSET,
    OUTPUT,
    REFERENCE,
    SECRET,
    SIGNATURE,
    UNKNOWN,
    UNKNOWN_STRING,
    Asset,
    decode,
    encode,
    known,
    render_path,
)

plain = st.recursive(
    st.booleans() | st.integers(-(2**40), 2**40) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=10,
)


@given(st.dictionaries(st.text(), plain))
def test_what_is_encoded_decodes_to_itself(values: dict[str, Any]) -> None:
    assert decode(encode(values)).values == values


def test_whole_numbers_are_integers_again() -> None:
    assert decode(encode({"port": 8080.0, "weight": 0.5})).values == {"port": 8080, "weight": 0.5}
    assert isinstance(decode(encode({"port": 8080})).values["port"], int)


def test_a_secret_is_plain_to_handlers_and_marked_on_the_way_out() -> None:
    wire = encode({"password": "hunter2", "user": "x"}, frozenset({("password",)}))
    assert wire["password"][SIGNATURE] == SECRET
    back = decode(wire)
    assert back.values == {"password": "hunter2", "user": "x"}
    assert back.secrets == {("password",)}


def test_a_secret_deep_inside_keeps_its_place() -> None:
    path = ("rules", 0, "tags", "token")
    wire = encode({"rules": [{"tags": {"token": "t"}}]}, frozenset({path}))
    assert decode(wire).secrets == {path}


def test_unknown_values_and_outputs_are_unknown() -> None:
    assert decode(encode({"id": UNKNOWN_STRING})).values["id"] is UNKNOWN
    assert decode(encode({"id": {SIGNATURE: OUTPUT}})).values["id"] is UNKNOWN
    assert encode({"id": UNKNOWN})["id"] == UNKNOWN_STRING


def test_an_output_that_is_known_is_its_value_and_may_be_secret() -> None:
    found = decode(encode({"id": {SIGNATURE: OUTPUT, "value": "x", "secret": True}}))
    assert found.values == {"id": "x"}
    assert found.secrets == {("id",)}


def test_a_reference_is_the_id_of_what_it_refers_to() -> None:
    assert decode(encode({"vpc": {SIGNATURE: REFERENCE, "urn": "urn:x", "id": "vpc-1"}})).values == {"vpc": "vpc-1"}


def test_an_asset_survives() -> None:
    asset = Asset("abc", path="/tmp/file")
    assert decode(encode({"source": asset})).values == {"source": asset}
    assert asset.kind == ASSET


def test_an_unknown_signature_is_said() -> None:
    with pytest.raises(ValueError, match="signature nonsense"):
        decode(encode({"x": {SIGNATURE: "nonsense"}}))


def test_absent_is_left_out() -> None:
    assert encode({"a": None, "b": {"c": None}}) == encode({"b": {}})


def test_known_looks_inside() -> None:
    assert known({"a": [1, {"b": "c"}]})
    assert not known({"a": [1, {"b": UNKNOWN}]})


@pytest.mark.parametrize(
    ("path", "text"),
    [(("ingress", 0, "fromPort"), "ingress[0].fromPort"), (("tags", "a b"), 'tags["a b"]'), (("name",), "name")],
)
def test_paths_are_written_as_the_engine_reads_them(path: tuple[str | int, ...], text: str) -> None:
    assert render_path(path) == text

"""A number that its column cannot hold is refused by name, in whatever form it comes; every other one is taken."""

from typing import Any

import pytest
from flask.testing import FlaskClient

from .zoo import MIXED_ROW

NAMES = list(MIXED_ROW)


def forms(row: dict[str, Any]) -> dict[str, tuple[str, Any]]:
    """The row in every form that has columns."""
    values = list(row.values())
    return {
        "records": ("/models/echo/invocations", {"dataframe_records": [MIXED_ROW, row]}),
        "split": (
            "/models/echo/invocations",
            {"dataframe_split": {"columns": NAMES[::-1], "data": [list(MIXED_ROW.values())[::-1], values[::-1]]}},
        ),
        "instances": ("/models/echo/invocations", {"instances": [MIXED_ROW, row]}),
        "inputs": ("/models/echo/invocations", {"inputs": {name: [MIXED_ROW[name], row[name]] for name in NAMES}}),
        "objects": ("/predict/echo", [MIXED_ROW, row]),
        "lists": ("/predict/echo", [[*MIXED_ROW.values(), None], [*values, None]]),
    }


@pytest.mark.parametrize(
    ("column", "value", "says"),
    [
        ("small", 2**31, "2147483648 in the column 'small', expected -2147483648 to 2147483647: its type is integer"),
        ("small", -(2**31) - 1, "-2147483649 in the column 'small'"),
        ("small", 3e9, "3000000000 in the column 'small'"),
        ("count", 2**63, "9223372036854775808 in the column 'count', expected -9223372036854775808 to "),
        ("count", 10**30, "a larger number in the column 'count'"),
        ("ratio", 1e39, "in the column 'ratio', expected -3.4028"),
    ],
)
@pytest.mark.parametrize("form", forms(MIXED_ROW))
def test_what_a_column_cannot_hold_is_refused_by_row_and_name(
    zoo_client: FlaskClient, form: str, column: str, value: Any, says: str
) -> None:
    path, body = forms({**MIXED_ROW, column: value})[form]
    answer = zoo_client.post(path, json=body)
    assert answer.status_code == 400, answer.text
    said = answer.json["error"]["message"] if form in ("objects", "lists") else answer.json["message"]
    assert "row 1 has " in said
    assert says in said


@pytest.mark.parametrize(
    ("column", "value"), [("small", 2**31 - 1), ("small", -(2**31)), ("count", 2**63 - 1), ("ratio", -3e38)]
)
def test_the_last_number_that_fits_is_taken_as_it_is(zoo_client: FlaskClient, column: str, value: Any) -> None:
    answer = zoo_client.post("/predict/echo", json={**MIXED_ROW, column: value})
    assert answer.status_code == 200, answer.text
    assert answer.json["predictions"][0][column] == pytest.approx(value, rel=1e-6)


def test_a_byte_order_mark_is_named(zoo_client: FlaskClient) -> None:
    answer = zoo_client.post("/predict/iris", data=b"\xef\xbb\xbf{}", content_type="application/json")
    assert answer.status_code == 400
    assert "byte order mark" in answer.json["error"]["message"]

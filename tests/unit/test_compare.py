"""`ops.compare`: when two lists of predictions are the same."""

import math

from hypothesis import given
from hypothesis import strategies as st

from ops.compare import first_difference

FLOATS = st.floats(-1e9, 1e9)


@given(st.lists(FLOATS))
def test_equal_lists_have_no_difference(values: list[float]) -> None:
    assert first_difference(values, list(values)) is None


def test_the_first_difference_is_named_with_both_values() -> None:
    assert first_difference([1.0, 2.0, 9.0], [1.0, 2.5, 3.0]) == (1, 2.0, 2.5)


def test_rounding_is_no_difference() -> None:
    assert first_difference([152.1334999], [152.1334999 * (1 + 1e-9)]) is None


def test_a_missing_or_surplus_answer_is_a_difference() -> None:
    assert first_difference([1.0], [1.0, 2.0]) == (1, None, 2.0)
    assert first_difference([1.0, 2.0], [1.0]) == (1, 2.0, None)


def test_nan_equals_nothing() -> None:
    assert first_difference([math.nan], [math.nan]) is not None

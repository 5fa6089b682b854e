"""The numbers behind the page's pictures: golden sets' verdicts, recent minutes, plots, errors beside their fields."""

from typing import Any

import pytest

from app.core import golden, recent
from app.core.meters import RECENT, SECONDS
from app.core.snapshots import Series
from app.http import page_form, page_plots


def test_a_regressions_errors_are_those_of_the_textbook() -> None:
    found = golden.verdict({"predictions": [1.0, 2.0, 4.0]}, [1.0, 3.0, 2.0])
    assert found is not None
    assert found.classes is None
    assert found.measures == pytest.approx(
        {"mean absolute error": 1.0, "root mean squared error": (5 / 3) ** 0.5, "R²": 1 - 5 / 2}
    )
    flat = golden.verdict({"predictions": [1.0, 2.0]}, [3.0, 3.0])
    assert flat is not None
    assert "R²" not in flat.measures


@pytest.mark.parametrize(
    ("predictions", "targets", "classes", "accuracy"),
    [
        (["a", "b", "b"], ["a", "b", "a"], ("a", "b"), 2 / 3),
        ([0, 1], [0, 1], (0, 1), 1.0),
        ([True, False], [True, True], (False, True), 0.5),
        ([str(number) for number in range(30)], ["0"] * 30, (), 1 / 30),
    ],
)
def test_a_classification_has_its_accuracy_and_its_classes(
    predictions: Any, targets: Any, classes: Any, accuracy: float
) -> None:
    found = golden.verdict({"predictions": predictions}, targets)
    assert found is not None
    assert found.classes == classes
    assert found.measures == {"accuracy": pytest.approx(accuracy)}


@pytest.mark.parametrize(
    ("output", "targets"),
    [
        ({"predictions": [1.0]}, None),
        ({"predictions": [1.0]}, [1.0, 2.0]),
        ({"predictions": [[1.0, 2.0]]}, [1.0]),
        ({"predictions": [None]}, [1.0]),
        ({"predictions": []}, []),
        ("text", ["text"]),
    ],
)
def test_what_cannot_be_compared_has_no_verdict(output: Any, targets: Any) -> None:
    assert golden.verdict(output, targets) is None


def test_a_matrix_counts_predictions_by_true_class() -> None:
    found = golden.verdict({"predictions": ["a", "b", "b", "b"]}, ["a", "a", "b", "b"])
    assert found is not None
    assert page_plots.matrix(found) == [("a", [(1, 5), (1, 5)]), ("b", [(0, 0), (2, 10)])]


def test_dots_lie_within_the_square_with_large_values_at_the_top_right() -> None:
    found = golden.verdict({"predictions": [1.5, 9.5, 5.0]}, [1.0, 10.0, 5.0])
    assert found is not None
    dots = page_plots.scatter(found).dots
    assert all(0 < x < page_plots.SIDE and 0 < y < page_plots.SIDE for x, y in dots)
    assert dots[0][0] < dots[2][0] < dots[1][0]
    assert dots[0][1] > dots[2][1] > dots[1][1]
    many = golden.verdict({"predictions": [0.5] * 1000}, [0.5] * 1000)
    assert many is not None
    assert len(page_plots.scatter(many).dots) <= page_plots.DOTS_AT_MOST


def test_a_quantile_lies_within_the_bucket_that_holds_it() -> None:
    counts = [0.0] * (len(SECONDS) + 1)
    assert recent.quantile(counts, 0.5) is None
    place = SECONDS.index(0.01)
    counts[place] = 100
    assert recent.quantile(counts, 0.5) == pytest.approx((SECONDS[place - 1] + 0.01) / 2)
    counts[-1] = 1000
    assert recent.quantile(counts, 0.99) == SECONDS[-1]


def test_the_minutes_of_one_model_are_its_own_and_in_order() -> None:
    now, numbers = 1_000_003.0, [0.0] * (len(SECONDS) + 2)
    numbers[3] = 2.0
    series: Series = {
        (RECENT, "1000000", "m", "2xx"): numbers,
        (RECENT, "999990", "m", "5xx"): numbers,
        (RECENT, "999000", "m", "2xx"): numbers,
        (RECENT, "1000000", "other", "2xx"): numbers,
    }
    found = recent.recent(series, "m", now)
    assert [point.requests for point in found.points[-3:]] == [2, 0, 2]
    assert [point.errors for point in found.points[-3:]] == [2, 0, 0]
    assert (found.total.requests, found.total.errors) == (4, 2)
    drawn = page_plots.traffic(found, 5)
    assert len(drawn.bars) == 2
    assert drawn.median.count("M") == 2, "a line is not drawn across silence"


@pytest.mark.parametrize(
    ("message", "names", "column"),
    [
        ("the field 'bmi' is 'x', expected a finite number", ["bm", "bmi", "bp"], "bmi"),
        ("Incompatible input types for column a b. Can not safely convert", ["a", "a b"], "a b"),
        ("row 0 lacks the field 'x', expected x, y", ["y", "x"], "x"),
        ("the model raised", ["model"], None),
    ],
)
def test_an_error_is_put_beside_the_column_that_it_names(message: str, names: list[str], column: str | None) -> None:
    assert page_form.blamed(message, names) == column


@pytest.mark.parametrize(("value", "edge"), [(0, 1), (0.3, 0.5), (1, 1), (7, 10), (12, 20), (0.0012, 0.002)])
def test_an_axis_ends_at_a_round_number(value: float, edge: float) -> None:
    assert page_plots._round_up(value) == pytest.approx(edge)

"""Tables are as wide as their content, and never wider than the terminal."""

import click
import pytest

from ops.table import Cell, Column, cut, duration, render

COLUMNS = (Column("NAME"), Column("MORE", optional=2), Column("LEAST", optional=1), Column("LAST"))
ROWS: list[list[Cell | str]] = [["a", "bb", "ccc", "dddd"], ["aaaa", "b", "c", Cell("d", "red")]]


def drawn(width: int) -> list[str]:
    return [click.unstyle(line).rstrip() for line in render(COLUMNS, ROWS, width)]


def test_columns_are_aligned() -> None:
    assert drawn(80) == ["NAME  MORE  LEAST  LAST", "a     bb    ccc    dddd", "aaaa  b     c      d"]


def test_the_least_important_column_gives_way_first() -> None:
    assert drawn(20)[0] == "NAME  MORE  LAST"
    assert drawn(12)[0] == "NAME  LAST"


def test_where_nothing_may_give_way_the_widest_is_cut() -> None:
    lines = render([Column("A"), Column("B")], [["one", "x" * 50]], 20)
    assert [click.unstyle(line) for line in lines][1] == f"one  {'x' * 14}…"


def test_an_empty_column_is_left_out() -> None:
    assert click.unstyle(render([Column("A"), Column("B")], [["one", ""]], 20)[0]).rstrip() == "A"


def test_a_colour_does_not_count_as_width() -> None:
    coloured = render([Column("A")], [[Cell("one", "red")]], 80)
    assert "\033[" in coloured[1]
    assert click.unstyle(coloured[1]) == "one"


def test_what_is_cut_says_so() -> None:
    assert (cut("abcdef", 4), cut("abcd", 4)) == ("abc…", "abcd")


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0, "0 s"), (59, "59 s"), (99, "99 s"), (120, "2 min"), (600, "10 min"), (7200, "2 h"), (172800, "2 d")],
)
def test_a_duration_is_told_in_the_unit_that_says_most(seconds: float, words: str) -> None:
    assert duration(seconds) == words

"""What the other node wrote: what is taken of it, and that all else is refused before anything is done."""

import json
from typing import Any

import pytest

from ops.orders import order as orders
from ops.orders.order import WrongError
from tests.unit.ops.orders.conftest import live, wanted


def changed(content: bytes, **values: Any) -> bytes:
    return json.dumps({**json.loads(content), **values}).encode()


def test_what_is_written_is_read() -> None:
    order = wanted(modules=("shop",), requirements=("xgboost>=2",), models=("a@b", "c/3"), tree="a" * 64)
    assert orders.order(orders.content(order)) == order
    assert orders.outcome(orders.content(live())) == live()


@pytest.mark.parametrize(
    ("values", "told"),
    [
        ({"schema": 2}, "not written in schema 1"),
        ({"more": 1}, "it must have just schema, commit"),
        ({"commit": "main"}, "commit is 'main'"),
        ({"commit": 3}, "commit is '3'"),
        ({"by": "\x1b[2J"}, "by is "),
        ({"by": ""}, "by is ''"),
        ({"subject": "a" * 301}, "subject is 'aaa"),
        ({"subject": "two\nlines"}, "subject is "),
        ({"tree": "a" * 63}, "tree is "),
        ({"tree": ""}, "modules without their files"),
        ({"modules": [], "models": ["a@b"]}, "files without modules"),
        ({"modules": "shop"}, "release.modules is 'shop', and must be a list"),
        ({"modules": ["../shop"]}, "must be a path inside"),
        ({"modules": ["/etc/shop"]}, "must be a path inside"),
        ({"modules": [3]}, "modules that are no plain texts"),
        ({"modules": ["m"] * 101}, "the order has 101 modules, and may have 100"),
        ({"requirements": ["a\n--index-url https://x"]}, "requirements that are no plain texts"),
        ({"requirements": ["--index-url https://x"]}, "which no index of packages has"),
        ({"requirements": ["a @ https://x/a.whl"]}, "which no index of packages has"),
        ({"models": ["prices"]}, "must have NAME@ALIAS or NAME/VERSION"),
    ],
)
def test_an_order_that_is_not_one_is_refused(values: dict[str, Any], told: str) -> None:
    content = orders.content(wanted(modules=("shop",), tree="a" * 64))
    with pytest.raises(WrongError) as caught:
        orders.order(changed(content, **values))
    assert told in caught.value.message


@pytest.mark.parametrize(
    "values",
    [{"outcome": "fine"}, {"why": 3}, {"why": "a" * 4001}, {"release": "x"}, {"deployment": None}, {"more": 1}],
)
def test_an_outcome_that_is_not_one_is_refused(values: dict[str, Any]) -> None:
    with pytest.raises(WrongError):
        orders.outcome(changed(orders.content(live()), **values))


@pytest.mark.parametrize("content", [b"", b"\xff", b"[]", b"3", b"[" * 60000, b'{"schema": 1'])
def test_what_is_no_object_of_json_is_refused(content: bytes) -> None:
    for read in (orders.order, orders.outcome):
        with pytest.raises(WrongError):
            read(content)


def test_a_reason_cannot_command_the_terminal_that_shows_it() -> None:
    assert orders.outcome(orders.content(live("well\x1b[2J\nreally"))).why == "well [2J\nreally"


def test_words_of_a_person_are_made_to_fit() -> None:
    assert orders.line("Another\tprice \x07\n(Ada)") == "Another price (Ada)"
    assert len(orders.line("a" * 5000)) == orders.MOST_CHARACTERS
    assert orders.line("\n") == "unknown"


def test_two_orders_of_one_commit_are_the_same_whoever_pushed_it() -> None:
    assert wanted(models=("a@b",)).wants(wanted(models=("a@b",), by="bob"))
    assert not wanted(models=("a@b",)).wants(wanted(models=("a@c",)))

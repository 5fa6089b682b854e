"""Diff: what updates, what replaces, and what only looks different."""

from typing import Any

import pytest

from localcloud.provider.diff import Difference, diff
from localcloud.provider.values import UNKNOWN
from tests.unit.provider.things import Thing, good


def compared(old: dict[str, Any], new: dict[str, Any]) -> Difference:
    return diff(Thing(), {**good(), **old}, {**good(), **new})


def kinds(found: Difference) -> dict[str, str]:
    return {path: change.kind for path, change in found.details.items()}


def test_nothing_is_nothing() -> None:
    assert compared({}, {}) == Difference()


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ({"zone": "a"}, {}),
        ({"enabled": False}, {}),
        ({"labels": {}}, {}),
        ({"policy": '{"a": [1, 2], "b": "x"}'}, {"policy": '{"b":["x"],"a":[2,1]}'}),
        (
            {"rules": [{"port": 1, "note": "none"}, {"port": 2, "note": "none"}]},
            {"rules": [{"port": 2, "note": "none"}, {"port": 1, "note": "none"}]},
        ),
        ({"rules": [{"port": 1, "cidrs": ["a", "b"]}]}, {"rules": [{"port": 1, "cidrs": ["b", "a"]}]}),
        ({"options": {"mode": "x", "level": 4}}, {"options": {"mode": "x"}}),
        ({"members": ["somebody"]}, {}),
    ],
)
def test_what_means_the_same_is_no_change(old: dict[str, Any], new: dict[str, Any]) -> None:
    assert kinds(compared(old, new)) == {}


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ({"size": 3}, {"size": 4}, {"size": "UPDATE"}),
        ({"enabled": True}, {"enabled": False}, {"enabled": "UPDATE"}),
        ({}, {"labels": {"a": "b"}}, {"labels": "ADD"}),
        ({"labels": {"a": "b", "c": "d"}}, {"labels": {"a": "x"}}, {"labels.a": "UPDATE", "labels.c": "DELETE"}),
        ({"policy": "{}"}, {}, {"policy": "DELETE"}),
        ({"steps": [{"port": 1}]}, {"steps": [{"port": 2}]}, {"steps[0].port": "UPDATE"}),
        ({"steps": [{"port": 1}, {"port": 2}]}, {"steps": [{"port": 1}]}, {"steps[1]": "DELETE"}),
        ({"rules": [{"port": 1}]}, {"rules": [{"port": 2}, {"port": 1}]}, {"rules[0]": "ADD"}),
        ({"members": ["a"]}, {"members": ["a", "b"]}, {"members[1]": "ADD"}),
        ({"size": 3}, {"size": UNKNOWN}, {"size": "UPDATE"}),
        ({"tags": {"a": "b"}, "tagsAll": {"a": "b"}}, {"tagsAll": {}}, {"tags": "DELETE"}),
    ],
)
def test_a_change_has_its_path_and_kind(old: dict[str, Any], new: dict[str, Any], expected: dict[str, str]) -> None:
    assert kinds(compared(old, new)) == expected


def test_drift_of_a_tag_is_a_change() -> None:
    found = compared({"tags": {}, "tagsAll": {}}, {"tags": {}, "tagsAll": {"project": "slipway"}})
    assert kinds(found) == {"tagsAll": "ADD"}


def test_some_changes_force_another_resource() -> None:
    found = compared({"zone": "a"}, {"zone": "b", "size": 4})
    assert found.replaces == ("zone",)
    assert found.details["zone"].replace
    assert not found.details["size"].replace


def test_an_unknown_value_may_force_one() -> None:
    assert compared({"zone": "a"}, {"zone": UNKNOWN}).replaces == ("zone",)


def test_a_fixed_name_must_be_free_before_its_successor_comes() -> None:
    fixed = {"name": "mine", "__defaults": []}
    assert compared({**fixed, "zone": "a"}, {**fixed, "zone": "b"}).delete_first
    assert not compared({"zone": "a"}, {"zone": "b"}).delete_first, "a made-up name makes room by itself"

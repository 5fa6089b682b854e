"""Check: names, defaults, coercion, and what is refused with the path of the value."""

from typing import Any

import pytest

from localcloud.provider.check import DEFAULTS, Naming
from localcloud.provider.values import UNKNOWN, Asset
from tests.unit.provider.things import NAMING, checked, good


def test_a_name_is_the_logical_one_and_seven_hex_digits() -> None:
    name = good()["name"]
    assert name.startswith("main-")
    assert len(name) == len("main-") + 7
    assert int(name[-7:], 16) >= 0
    assert good()["name"] == name, "the same seed gives the same name"


def test_a_made_up_name_is_kept_until_the_program_gives_one() -> None:
    old = good()
    assert checked({"kind": "big"}, old, Naming("main", b"other"))[0]["name"] == old["name"]
    assert checked({"kind": "big", "name": "mine"}, old)[0]["name"] == "mine"


def test_a_given_name_that_is_taken_away_is_not_kept() -> None:
    assert checked({"kind": "big"}, good(name="mine"))[0]["name"] != "mine"


def test_the_projects_own_naming_is_followed() -> None:
    assert checked({"kind": "big"}, None, Naming("main", b"", proposed="acme-main"))[0]["name"] == "acme-main"
    problems = checked({"kind": "big"}, None, Naming("main", b"", disabled=True))[1]
    assert "required" in problems[0].reason


def test_a_logical_name_that_is_too_long_says_so() -> None:
    problems = checked({"kind": "big"}, None, Naming("a-very-long-logical-name", b"s"))[1]
    assert [problem.path for problem in problems][:1] == ["name"]
    assert "shorter logical name" in problems[0].reason


def test_defaults_are_filled_in_and_remembered() -> None:
    args = good()
    assert args["size"] == 3
    assert args[DEFAULTS] == ["name", "size"]


def test_defaults_reach_into_blocks() -> None:
    assert good(rules=[{"port": 80}])["rules"] == [{"port": 80, "note": "none"}]


@pytest.mark.parametrize(
    ("news", "path"),
    [
        ({}, "kind"),
        ({"kind": "huge"}, "kind"),
        ({"kind": "big", "size": 10}, "size"),
        ({"kind": "big", "size": "three"}, "size"),
        ({"kind": "big", "size": 1.5}, "size"),
        ({"kind": "big", "enabled": "perhaps"}, "enabled"),
        ({"kind": "big", "rules": "none"}, "rules"),
        ({"kind": "big", "rules": [{"port": 80}, {"port": 0}]}, "rules[1].port"),
        ({"kind": "big", "rules": [{}]}, "rules[0].port"),
        ({"kind": "big", "options": {"mod": "x"}}, "options.mod"),
        ({"kind": "big", "policy": "{"}, "policy"),
        ({"kind": "big", "sise": 3}, "sise"),
        ({"kind": "big", "region": "eu-west-1"}, "region"),
        ({"kind": "big", "tags": {"aws:x": "y"}}, 'tags["aws:x"]'),
        ({"kind": "big", "policy": Asset("h", text="{}")}, "policy"),
    ],
)
def test_what_aws_would_refuse_is_refused_with_its_path(news: dict[str, Any], path: str) -> None:
    assert [problem.path for problem in checked(news)[1]] == [path]


def test_a_misspelled_input_gets_a_suggestion() -> None:
    assert "did you mean 'size'" in checked({"kind": "big", "sise": 3})[1][0].reason


def test_values_take_the_kind_that_aws_wants() -> None:
    args = good(size="4", enabled="true", name=7)
    assert (args["size"], args["enabled"], args["name"]) == (4, True, "7")


def test_an_unknown_value_is_not_judged() -> None:
    assert good(size=UNKNOWN)["size"] is UNKNOWN


def test_a_secret_that_is_refused_is_not_shown() -> None:
    problems = checked({"kind": "big", "password": "hunter2"})[1]
    assert problems[0].path == "password"
    assert "hunter2" not in problems[0].reason


def test_the_providers_tags_are_merged_and_the_programs_win() -> None:
    args = good(tags={"project": "mine", "Name": "x"})
    assert args["tagsAll"] == {"project": "mine", "Name": "x"}
    assert good()["tagsAll"] == {"project": "slipway"}
    assert good(tags=UNKNOWN)["tagsAll"] is UNKNOWN


def test_naming_does_not_depend_on_order_of_fields() -> None:
    assert good(size=4)["name"] == good(kind="small")["name"] == checked({"kind": "big"}, None, NAMING)[0]["name"]

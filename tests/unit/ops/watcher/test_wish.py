"""What is to be served, from what the alias says, what is served, and what became of it before."""

import pytest

from ops.watcher import wish
from ops.watcher.wish import NOWHERE, Done, Served, Status, Verdict


def served(release: str = "r1", deployment: str = "d1", **models: str) -> Served:
    return Served(deployment, release, models, default=next(iter(models), None))


def deployed(version: str, deployment: str = "d1") -> Done:
    return Done(version, Status.DEPLOYED, deployment)


def refused(version: str, release: str = "r1") -> Done:
    return Done(version, Status.REFUSED, "", "it does not load", release)


def test_a_manifest_is_read_as_its_models_and_the_default_among_them() -> None:
    manifest = {
        "release": "r1",
        "models": [{"name": "b", "version": "2", "default": True}, {"name": "a", "version": 1, "default": False}],
    }
    assert Served.of("d1", manifest) == Served("d1", "r1", {"b": "2", "a": "1"}, "b")


def test_an_alias_that_moved_is_followed_and_other_models_stay() -> None:
    ledger = {"a": deployed("1"), "b": deployed("4")}
    assert wish.target({"a": "2", "b": "4"}, served(a="1", b="4"), ledger) == {"a": "2", "b": "4"}


def test_a_new_model_with_the_alias_joins_those_that_are_served() -> None:
    assert wish.target({"a": "1", "b": "1"}, served(a="1"), {"a": deployed("1")}) == {"a": "1", "b": "1"}


def test_a_removed_alias_retires_the_model() -> None:
    assert wish.target({"a": "1"}, served(a="1", b="4"), {"a": deployed("1"), "b": deployed("4")}) == {"a": "1"}


def test_a_model_that_somebody_serves_without_an_alias_stays() -> None:
    assert wish.target({}, served(a="1"), {}) == {"a": "1"}


def test_a_refused_version_is_not_tried_again_while_its_alias_stays() -> None:
    assert wish.target({"a": "2"}, served(a="1"), {"a": refused("2")}) == {"a": "1"}


def test_a_refused_version_is_tried_again_when_its_alias_comes_back() -> None:
    ledger = wish.observed({"a": "1"}, served(a="1"), {"a": refused("2")})
    assert wish.target({"a": "2"}, served(a="1"), ledger) == {"a": "2"}


@pytest.mark.parametrize(("release", "models"), [("r1", {"a": "1"}), ("r2", {"a": "2"})])
def test_a_refused_version_is_tried_again_with_another_release(release: str, models: dict[str, str]) -> None:
    assert wish.target({"a": "2"}, served(release, a="1"), {"a": refused("2")}) == models


def test_a_refused_model_holds_no_other_back() -> None:
    assert wish.target({"a": "2", "b": "5"}, served(a="1", b="4"), {"a": refused("2")}) == {"a": "1", "b": "5"}


def test_what_a_person_rolled_back_stays_so_until_the_alias_moves_whatever_the_release() -> None:
    wanted, now = {"a": "2"}, served("r2", "d0", a="1")
    ledger = wish.observed(wanted, now, {"a": deployed("2")})
    assert ledger["a"].status is Status.ROLLED_BACK
    assert "deployment d0 was made current" in ledger["a"].reason
    assert wish.target(wanted, now, ledger) == {"a": "1"}
    assert wish.target(wanted, served("r3", "d5", a="1"), ledger) == {"a": "1"}
    assert wish.target({"a": "3"}, now, ledger) == {"a": "3"}


def test_what_a_person_promoted_stays_until_the_alias_moves() -> None:
    wanted, now = {"a": "1"}, served(a="7")
    ledger = wish.observed(wanted, now, {"a": deployed("1")})
    assert wish.target(wanted, now, ledger) == {"a": "7"}


def test_a_retirement_that_failed_is_not_tried_for_ever() -> None:
    now = served(a="1", b="4")
    ledger = {"a": deployed("1"), "b": deployed("4")}
    ledger = wish.failed(ledger, {"b": NOWHERE}, now, Verdict(Status.ROLLED_BACK, "a node refused it", "d2"))
    assert wish.target({"a": "1"}, now, ledger) == {"a": "1", "b": "4"}
    assert wish.target({"a": "1", "b": "4"}, now, wish.observed({"a": "1", "b": "4"}, now, ledger)) == now.models


def test_a_model_that_is_gone_from_the_fleet_and_the_registry_is_forgotten() -> None:
    assert wish.observed({}, served(a="1"), {"b": deployed("4")}) == {}


def test_only_what_differs_is_a_change() -> None:
    assert wish.changes({"a": "2", "c": "1"}, served(a="1", b="4")) == {"a": "2", "b": NOWHERE, "c": "1"}
    assert wish.changes({"a": "1"}, served(a="1")) == {}


@pytest.mark.parametrize(("default", "first"), [("b", "b/2"), ("gone", "a/1"), (None, "a/1")])
def test_the_default_stays_while_it_is_served_and_is_the_first_by_name_else(default: str | None, first: str) -> None:
    ordered = wish.ordered({"c": "3", "b": "2", "a": "1"}, default)
    assert ordered[0] == first
    assert sorted(ordered) == ["a/1", "b/2", "c/3"]


def test_tags_say_what_is_served_and_why_a_wish_was_not_met() -> None:
    tags = wish.tags({"a": "2", "b": "4"}, served(a="1", b="4"), {"a": refused("2"), "b": deployed("4")})
    assert tags["a", "1"]["slipway.status"] == "deployed"
    assert tags["b", "4"] == {"slipway.status": "deployed", "slipway.deployment": "d1", "slipway.reason": ""}
    assert tags["a", "2"]["slipway.status"] == "refused"
    assert tags["a", "2"]["slipway.reason"] == "it does not load"


def test_what_is_retired_has_no_version_to_say_that_it_rolls() -> None:
    assert set(wish.rolling({"a": "2", "b": NOWHERE})) == {("a", "2")}

"""What an alias began is waited for: beside a watcher at work, and as `slipway wait` tells it."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from click.testing import CliRunner, Result

from ops import store
from ops.cli import main
from ops.errors import UserError
from ops.rollout.history import Outcome as Ended
from ops.verbs import wait as verb
from ops.watcher import loop, outcome
from ops.watcher.children import Made
from ops.watcher.loop import Watcher
from ops.watcher.outcome import NotEndedError, Outcome
from ops.watcher.registry import Registry, UnreachableError
from ops.watcher.wish import Served, Status
from tests.unit.ops.rollouts import Killed
from tests.unit.ops.watcher.test_loop import looks, watching
from tests.unit.ops.watcher.world import World
from tests.unit.test_rollout_settings import OUTPUT


@pytest.fixture
def world() -> World:
    """It serves version 1, whose alias has just moved to 2."""
    found = World({"a": "1"})
    looks(watching(found), found)
    found.aliases = {"a": "2"}
    return found


def beside(watcher: Watcher, world: World, then: Callable[[], None] = lambda: None) -> Callable[[float], None]:
    """A pause of whoever waits, in which the watcher looks and something else may happen."""

    def pause(seconds: float) -> None:
        then()
        watcher.turn()
        world.now += seconds

    return pause


def waited(world: World, seconds: float = 100.0, pause: Callable[[float], None] | None = None) -> Outcome:
    said: list[str] = []
    pause = pause or beside(watching(world), world)
    return outcome.wait(world, "a", "champion", said.append, seconds, clock=lambda: world.now, sleep=pause)


def test_it_ends_when_the_fleet_serves_the_version_that_the_alias_names(world: World) -> None:
    found = waited(world)
    assert (found.status, found.version, found.deployment) == (Status.DEPLOYED, "2", "d2")
    assert found.well


def test_what_is_served_already_is_not_waited_for(world: World) -> None:
    waited(world)
    assert waited(world, seconds=0.0, pause=lambda _: pytest.fail("it waits")).well


@pytest.mark.parametrize(("ended", "status"), [(Ended.REFUSED, "refused"), (Ended.RETURNED, "rolled-back")])
def test_a_version_that_the_fleet_does_not_take_is_told_with_its_reason(
    world: World, ended: Ended, status: str
) -> None:
    world.outcomes = [ended]
    found = waited(world)
    assert (found.status, found.well) == (status, False)
    assert found.reason == "the canary failed its requests"


def test_one_that_no_deployment_can_be_made_of_is_told_with_its_reason(world: World) -> None:
    world.refusals = [Made("", "it does not load", "a")]
    assert waited(world).reason == "it does not load"


def test_an_outcome_of_another_time_is_not_taken_for_this_one(world: World) -> None:
    """Version 2 was refused once and says so in its tags; the alias went back to 1, and comes to 2 again."""
    watcher = watching(world)
    world.outcomes = [Ended.REFUSED]
    assert waited(world, pause=beside(watcher, world)).status is Status.REFUSED
    looks(watcher, world)
    world.aliases = {"a": "1"}
    looks(watcher, world)
    world.aliases = {"a": "2"}
    assert world.status("a/2") == "refused"
    assert waited(world, pause=beside(watcher, world)).status is Status.DEPLOYED


def test_a_rollback_by_a_person_is_seen_before_the_watcher_sees_it(world: World) -> None:
    waited(world)
    world.fleet = Served("d1", "r1", {"a": "1"})
    found = waited(world, seconds=0.0)
    assert found.status is Status.ROLLED_BACK
    assert found.reason == "deployment d1 was made current instead of d2"


def test_what_is_rolled_out_is_waited_for_though_the_pointer_has_moved(world: World) -> None:
    """A watcher that was killed leaves its attempt in the book; its rollout goes on, beyond the commit."""
    world.outcomes = [Killed]
    watcher = watching(world)
    with pytest.raises(Killed):
        looks(watcher, world)
    world.fleet = Served("d2", "r1", {"a": "2"})
    with pytest.raises(NotEndedError, match="version 2 is rolled out, by deployment d2"):
        waited(world, seconds=0.0)


def test_an_alias_that_moves_on_is_followed(world: World) -> None:
    assert waited(world, pause=beside(watching(world), world, lambda: world.aliases.update(a="3"))).version == "3"


def test_an_alias_that_is_taken_away_is_not_waited_for(world: World) -> None:
    with pytest.raises(UserError, match="no version of a has the alias champion"):
        waited(world, pause=beside(watching(world), world, world.aliases.clear))


@pytest.mark.parametrize(
    ("pause", "lock", "doing"),
    [
        ("following is paused by me", "", "waits: following is paused by me"),
        ("", "a rollout is under way", "waits: a rollout is under way"),
        ("", "", "is taken up, and its deployment made"),
    ],
)
def test_what_does_not_end_in_time_says_what_holds_it(world: World, pause: str, lock: str, doing: str) -> None:
    world.pause, world.lock = pause, lock
    with pytest.raises(NotEndedError) as error:
        waited(world, seconds=0.0)
    assert error.value.message == f"a@champion has not come to an end within 0 s: version 2 {doing}"


def test_what_cannot_be_asked_for_a_while_is_asked_again(world: World) -> None:
    down = iter([UnreachableError("MLflow does not answer"), None])

    def fail() -> None:
        world.down = next(down, None)

    assert waited(world, pause=beside(watching(world), world, fail)).well


def test_what_cannot_be_asked_at_all_is_an_error_at_once(world: World) -> None:
    world.down = UnreachableError("MLflow does not answer")
    with pytest.raises(UnreachableError):
        waited(world)


@pytest.fixture
def told(world: World, monkeypatch: pytest.MonkeyPatch) -> World:
    """The world as the verb sees it, with a watcher at work while it waits."""
    found: dict[str, Any] = {"region": "us-east-1", "bucket": "b", "deployment_parameter": "/p", "delivery": {**OUTPUT}}
    monkeypatch.setattr(store, "outputs", lambda: found)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://mlflow")
    monkeypatch.setattr(verb, "Node", lambda *_: world)
    monkeypatch.setattr(loop, "say", lambda *_, **__: None)
    plain, watcher = outcome.wait, watching(world)

    def wait(*words: Any) -> Outcome:
        return plain(*words, clock=lambda: world.now, sleep=beside(watcher, world))

    monkeypatch.setattr(outcome, "wait", wait)
    return world


def invoke(*words: str) -> Result:
    return CliRunner().invoke(main, ["wait", *words])


def test_the_verb_ends_with_0_once_it_is_served(told: World) -> None:
    done = invoke("a@champion")
    assert done.exit_code == 0, done.output
    assert "deployment d2 serves version 2" in done.stderr
    assert done.stdout == ""


def test_the_verb_ends_with_1_for_what_is_refused_and_programs_read_why(told: World) -> None:
    told.outcomes = [Ended.REFUSED]
    done = invoke("a@champion", "--json")
    assert done.exit_code == 1
    assert "FAIL a@champion" in done.stderr
    assert "slipway wait: a@champion: version 2 is not served, the fleet refused it" in done.stderr
    told_it = json.loads(done.stdout)
    assert told_it.pop("reason") == "the canary failed its requests"
    assert told_it == {"model": "a", "alias": "champion", "version": "2", "status": "refused", "deployment": "d2"}


def test_the_verb_ends_with_3_when_the_time_is_up(told: World) -> None:
    told.pause = "following is paused by me"
    done = invoke("a@champion", "--timeout", "1m")
    assert done.exit_code == 3
    assert "within 60 s: version 2 waits: following is paused by me" in done.stderr


@pytest.mark.parametrize(
    ("settings", "model", "why"),
    [
        ({"follow_alias": False}, "a@champion", "the stack follows no alias (delivery.followAlias)"),
        ({"models": ["b"]}, "a@champion", "the stack serves only b (delivery.models)"),
        ({}, "a@staging", "the stack follows champion (delivery.alias)"),
    ],
)
def test_an_alias_that_nobody_follows_is_not_waited_for(
    told: World, settings: dict[str, Any], model: str, why: str
) -> None:
    store.outputs()["delivery"].update(settings)
    done = invoke(model)
    assert done.exit_code == 1
    assert why in done.stderr


@pytest.mark.parametrize("words", [[], ["a"], ["a/2"], ["@champion"], ["a@champion", "--timeout", "soon"]])
def test_wrong_usage_ends_with_2(words: list[str]) -> None:
    assert invoke(*words).exit_code == 2


def test_mlflow_is_found_as_its_own_client_finds_it(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {"URI": "http://mlflow/", "USERNAME": "ada", "PASSWORD": "x"}.items():
        monkeypatch.setenv(f"MLFLOW_TRACKING_{name}", value)
    assert Registry.from_environment() == Registry("http://mlflow", "ada", "x")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "sqlite:///x")
    with pytest.raises(UnreachableError, match="names no server"):
        Registry.from_environment()

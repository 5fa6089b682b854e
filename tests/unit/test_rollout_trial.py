"""A trial in the fleet: what is asked for, what is refused, what keeps it on and what ends it."""

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import click
import pytest
from click.testing import CliRunner

from contract import ACTIVATE_EXIT, S3
from ops.cli import main
from ops.errors import UserError
from ops.rollout import begin, ending, keeper, trial, wanted
from ops.rollout.history import History, Kind, Outcome
from ops.rollout.lock import Lock, LockedError
from ops.verbs import trials
from tests.unit.test_rollout_keeper import BOUNDS, NEW, OLD, OWNER, Told, made

MINE = replace(OWNER, kind="trial")
OTHER = "bbbbbbbbbbbb"


@pytest.fixture
def at(monkeypatch: pytest.MonkeyPatch) -> Any:
    return made(monkeypatch)


@pytest.fixture
def on(at: Any) -> Any:
    """A stack where NEW gets 5 %."""
    Lock(at).take(MINE)
    trial.keep(at, MINE.rollout, 5, [])
    Lock(at).release(MINE.rollout)
    return at


@pytest.mark.parametrize("text", ["5%", "5", " 5 % "])
def test_a_share_is_named_with_or_without_its_sign(text: str) -> None:
    assert trial.percentage(text, shadow=False) == 5


@pytest.mark.parametrize("text", ["7%", "100%", "0", "-5", "five", "5.0", "%"])
def test_what_is_no_step_is_refused_with_the_steps(text: str) -> None:
    with pytest.raises(UserError) as refused:
        trial.percentage(text, shadow=False)
    assert text in refused.value.message
    assert "1%, 5%, 10%, 25%, 50%" in (refused.value.hint or "")


def test_a_candidate_gets_a_share_or_copies() -> None:
    assert trial.percentage(None, shadow=True) == 0
    assert trial.percentage(None, shadow=False) is None
    with pytest.raises(UserError):
        trial.percentage("5%", shadow=True)


def test_a_trial_stays_until_it_is_cleared(on: Any) -> None:
    found = trial.read(on)
    assert found
    assert (found.deployment, found.percent, found.by) == (NEW, 5, "ada@desk")
    assert str(found) == f"deployment {NEW} gets 5% of the predictions since {OWNER.since}, by ada@desk"
    assert trial.clear(on) == found
    assert trial.read(on) is None
    assert trial.clear(on) is None


def test_a_trial_is_over_when_the_pointer_has_moved(on: Any) -> None:
    on.point(NEW)
    assert trial.read(on) is None


def test_a_shadow_says_how_its_answers_compared(at: Any) -> None:
    Lock(at).take(MINE)
    seen: list[Any] = [{"same": 3, "different": 1, "first": ["r"]}, {"same": 2, "missing": 4}, None]
    kept = trial.keep(at, MINE.rollout, 0, seen)
    assert trial.in_words(kept.answers) == "5 same, 1 different, 4 missing"
    assert "a copy of every prediction" in str(kept)


def test_anything_else_waits_for_its_end(on: Any) -> None:
    trial.refuse_another(on, NEW)
    for other in (OTHER, None):
        with pytest.raises(UserError, match=f"deployment {NEW} gets 5%") as refused:
            trial.refuse_another(on, other)
        assert "--abort" in (refused.value.hint or "")


class Fleet(Told):
    def __init__(self, *, knows: bool = True, answers: dict[str, int] | None = None) -> None:
        super().__init__(answers)
        self.knows = knows

    def statuses(self) -> dict[str, Any]:
        return {name: {"trial": None} if self.knows else {} for name in self.answers}


def test_what_cannot_be_tried_is_refused() -> None:
    fleet: Any = Fleet()
    trial.check(fleet, NEW, OLD, ["m/1"])
    with pytest.raises(UserError, match="nothing is served yet"):
        trial.check(fleet, NEW, OLD, [])
    with pytest.raises(UserError, match="what every node serves"):
        trial.check(fleet, OLD, OLD, ["m/1"])
    with pytest.raises(UserError, match="older Slipway") as refused:
        trial.check(Fleet(knows=False), NEW, OLD, ["m/1"])  # type: ignore[arg-type]
    assert "site.yml" in (refused.value.hint or "")


@pytest.fixture
def began(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setattr(wanted, "description", lambda at, deployment: deployment)
    monkeypatch.setattr(wanted, "models", lambda at, deployment: ["m/1"])
    monkeypatch.setattr(keeper, "start", lambda rollout, pid: None)
    monkeypatch.setattr(begin, "candidate", SimpleNamespace(check=lambda *_: []))
    monkeypatch.setattr("ops.rollout.reach.current", Fleet)

    def call(at: Any, deployment: str, kind: Kind, percent: int | None = None) -> begin.Rollout:
        about: dict[str, Any] = {"kind": kind, "by": "ada", "reason": "because", "controller": 1}
        return begin.begin(at, BOUNDS, Told().nodes(), deployment, percent=percent, **about)

    return call


def test_a_trial_begins_with_what_each_node_is_to_be_told(at: Any, began: Any) -> None:
    assert began(at, NEW, Kind.TRIAL, 25).trial == ["share", NEW, "25"]
    with pytest.raises(LockedError, match=f"tries deployment {NEW}"):
        began(at, OTHER, Kind.TRIAL, 25)
    Lock(at).break_()
    assert began(at, NEW, Kind.TRIAL, 0).trial == ["shadow", NEW]


def test_while_a_trial_is_on_only_it_and_a_rollback_may_begin(on: Any, began: Any) -> None:
    with pytest.raises(UserError, match="a trial is on"):
        began(on, OTHER, Kind.DEPLOY)
    assert Lock(on).read() is None
    for kind, deployment, percent in (
        (Kind.DEPLOY, NEW, None),
        (Kind.TRIAL, NEW, 25),
        (Kind.ROLLBACK, OTHER, None),
    ):
        Lock(on).release(began(on, deployment, kind, percent).rollout)


def test_the_commit_of_what_was_on_trial_ends_the_trial(on: Any) -> None:
    Lock(on).take(OWNER)
    ending.commit(on, OWNER.rollout)
    assert not on.bucket.read(S3.trial).content["deployment"]


def test_a_trial_that_fails_is_over_before_any_node_asks(on: Any) -> None:
    Lock(on).take(MINE)
    fleet = Fleet()
    told = fleet.everywhere

    def asked(*words: str, among: Any = None) -> Any:
        assert not on.bucket.read(S3.trial).content["deployment"]
        return told(*words, among=among)

    fleet.everywhere = asked  # type: ignore[method-assign]
    record = ending.back(on, fleet, MINE.rollout, "it failed 9 of 9 requests")  # type: ignore[arg-type]
    assert (record.kind, record.outcome) == (Kind.TRIAL, Outcome.REVERTED)


def test_an_abort_tells_every_node_and_is_written_down(on: Any) -> None:
    fleet: Any = Fleet()
    found, left = trial.abort(on, fleet, "bob", "enough")
    assert found
    assert found.deployment == NEW
    assert left == []
    assert fleet.words == [("unshare",)]
    record = next(History(on).newest_first())
    assert (record.kind, record.outcome, record.deployment, record.by) == (Kind.ABORT, Outcome.DONE, NEW, "bob")
    assert trial.read(on) is None
    assert Lock(on).read() is None


def test_a_second_abort_finds_nothing_and_writes_nothing(on: Any) -> None:
    nothing = {"serving-i-1": ACTIVATE_EXIT.nothing, "serving-i-2": ACTIVATE_EXIT.usage}
    trial.clear(on)
    assert trial.abort(on, Fleet(answers=nothing), "bob", "enough") == (None, [])  # type: ignore[arg-type]
    assert list(History(on).newest_first()) == []
    assert Lock(on).read() is None


def test_a_node_that_missed_an_abort_is_named(on: Any) -> None:
    _, left = trial.abort(on, Fleet(answers={"serving-i-1": 0, "serving-i-2": 255}), "bob", "enough")  # type: ignore[arg-type]
    assert left == ["serving-i-2: exit status 255"]
    assert "serving-i-2" in next(History(on).newest_first()).why


def test_a_rollback_goes_past_trials(at: Any) -> None:
    for number, kind in enumerate((Kind.DEPLOY, Kind.TRIAL, Kind.ABORT)):
        owner = replace(
            OWNER, rollout=f"2026010{number + 1}T030405Z-{NEW}", kind=str(kind), previous=f"before-{number}"
        )
        Lock(at).take(owner)
        ending.conclude(at, owner, Outcome.DONE, "", [])
    assert History(at).before(NEW) == "before-0"


def test_finishing_or_changing_what_is_not_on_says_how_to_begin(at: Any) -> None:
    with pytest.raises(UserError, match="no candidate is on trial") as refused:
        trials.on_trial(at)
    assert "--canary" in (refused.value.hint or "")


@pytest.mark.parametrize(
    "words",
    [
        ["--canary", "5%", "--shadow"],
        ["--finish", "--abort"],
        ["--finish", "diabetes/4"],
        ["--abort", "--release", "0" * 64],
        ["--finish", "--build"],
    ],
)
def test_words_that_contradict_each_other_are_wrong_usage(words: list[str]) -> None:
    done = CliRunner().invoke(main, ["promote", *words])
    assert done.exit_code == click.UsageError.exit_code, done.output


def test_what_is_no_step_is_one_line_before_anything_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ops.store.current", lambda: pytest.fail("it asked the stack"))
    done = CliRunner().invoke(main, ["promote", "diabetes/4", "--canary", "7%"])
    assert done.exit_code == 1
    assert "'7%' is no step" in done.output

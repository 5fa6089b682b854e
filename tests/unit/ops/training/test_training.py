"""A whole training against a real MLflow: what it leaves there, and that a kill at any point costs nothing but time."""

import json
from pathlib import Path

import mlflow
import pandas
import pytest

from ops import golden, notify
from ops.errors import UserError
from ops.notify import Message
from ops.training import follow, runner, steps, told
from ops.training.book import FAILED, Book, NotDoneError
from ops.training.order import WORK
from tests.unit.ops.training.conftest import ALIAS, Shop


class KilledError(BaseException):
    """What SIGKILL is to the step that was under way."""


def test_the_first_model_takes_the_alias_with_all_that_the_gate_asks_for(shop: Shop, tmp_path: Path) -> None:
    told = runner.report(shop.train("one"))
    assert (told.outcome, told.version, told.deployment, told.champion) == ("promoted", "1", "aaaaaaaaaaaa", "")
    assert shop.champion() == "1"
    version = shop.client.get_model_version(shop.name, "1")
    assert version.run_id == told.mlflow_run
    assert golden.metrics(version.run_id) == told.metrics
    assert golden.parameters(version.run_id)["alpha"] == "1.0"
    model = mlflow.pyfunc.load_model(f"models:/{shop.name}/1")
    assert model.metadata.get_input_schema().input_names() == ["x", "y"]
    assert len(model.input_example) == 3
    found = golden.fetch(version.run_id, tmp_path)
    assert found is not None
    known = json.loads(found.read_text())
    rows = pandas.DataFrame(**known["input"]["dataframe_split"])
    assert list(model.predict(rows)) == pytest.approx(known["targets"], rel=0.2)


def test_the_rows_that_are_compared_on_are_none_that_it_was_trained_on(shop: Shop) -> None:
    book = shop.train("one", until="validate").book
    trained, held_back = book.rows("train"), book.rows("held_back")
    assert len(trained) + len(held_back) == 200
    assert not set(trained["x"]) & set(held_back["x"])


def test_a_better_model_takes_over_and_a_worse_one_is_only_registered(shop: Shop) -> None:
    shop.write(alpha=100)
    shop.train("one")
    shop.write(alpha=1)
    better = runner.report(shop.train("two"))
    assert (better.outcome, better.champion, shop.champion()) == ("promoted", "1", "2")
    assert better.metrics["rmse"] < better.champion_metrics["rmse"]
    shop.write(alpha=50)
    worse = runner.report(shop.train("three"))
    assert (worse.outcome, worse.version, shop.champion()) == ("unchanged", "3", "2")
    assert "the champion's is" in worse.why


@pytest.mark.long
def test_a_margin_in_the_stacks_settings_holds_back_a_model_that_is_a_little_better(shop: Shop) -> None:
    shop.write(alpha=100)
    shop.train("one")
    shop.write(alpha=90)
    shop.outputs["delivery"]["improvement"] = 10.0
    told = runner.report(shop.train("two"))
    assert (told.outcome, shop.champion()) == ("unchanged", "1")
    assert "must be better by more than 10" in told.why
    shop.write(alpha=90, more="MARGIN = 0.001")
    assert runner.report(shop.train("three")).outcome == "promoted", "the pipeline's own margin goes first"


@pytest.mark.long
def test_a_candidate_that_is_the_champion_over_again_is_not_registered(shop: Shop) -> None:
    shop.train("one")
    told = runner.report(shop.train("two"))
    assert (told.outcome, told.version, shop.versions()) == ("unchanged", "", ["1"])
    assert "equal to the champion" in told.why


def test_a_kill_before_any_step_is_written_down_costs_only_that_step(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The worst moment, in every step in turn: all that it does is done, and nobody knows."""
    plain, left = Book.done, list(WORK)

    def killed(self: Book, name: str, outcome: str) -> None:
        if name in left:
            left.remove(name)
            raise KilledError
        plain(self, name, outcome)

    monkeypatch.setattr(Book, "done", killed)
    for step in WORK:
        with pytest.raises(KilledError):
            shop.train("one")
        assert runner.report(shop.open("one")).why == f"{step}: it did not come to its end"
    told = runner.report(shop.train("one"))
    assert (told.outcome, shop.versions(), shop.champion()) == ("promoted", ["1"], "1")


def test_a_kill_between_registering_and_its_note_registers_nothing_twice(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain = Book.tell

    def killed(self: Book, tags: dict[str, str]) -> None:
        if steps.VERSION in tags:
            raise KilledError
        plain(self, tags)

    with monkeypatch.context() as patch:
        patch.setattr(Book, "tell", killed)
        with pytest.raises(KilledError):
            shop.train("one")
    assert shop.versions() == ["1"]
    assert runner.report(shop.train("one")).version == "1"
    assert shop.versions() == ["1"]


def test_what_is_done_is_not_done_again(shop: Shop) -> None:
    shop.train("one")
    shop.data.unlink()
    again = runner.report(shop.train("one"))
    assert (again.outcome, shop.versions()) == ("promoted", ["1"])
    found = shop.client.search_runs([shop.client.get_experiment_by_name(shop.name).experiment_id])
    assert len(found) == 1


def test_steps_out_of_their_order_say_so(shop: Shop) -> None:
    with pytest.raises(NotDoneError, match="step validate of this run has not been done"):
        runner.perform("train", shop.open("one"))


def test_a_step_that_fails_fails_the_run_and_its_reason_is_kept(shop: Shop) -> None:
    shop.data.write_text("x,y,target\n1,2,3\n1,,3\n")
    with pytest.raises(UserError, match="no value in column y: row 2"):
        shop.train("one")
    told = runner.report(shop.open("one"))
    assert told.outcome == "failed"
    assert told.why.startswith("validate: 1 of 2 rows has no value")
    assert shop.open("one").book.tags[FAILED] == told.why


def test_a_version_that_the_fleet_does_not_take_gives_the_alias_back(shop: Shop) -> None:
    shop.write(alpha=100)
    shop.train("one")
    shop.write(alpha=1)
    shop.fleet = {"slipway.status": "rolled-back", "slipway.reason": "one row takes it 2000 ms"}
    with pytest.raises(UserError, match="one row takes it 2000 ms; champion is at version 1 again"):
        shop.train("two")
    assert shop.champion() == "1"
    assert runner.report(shop.open("two")).outcome == "failed"


def test_a_first_version_that_is_refused_leaves_no_alias(shop: Shop) -> None:
    shop.fleet = {"slipway.status": "refused", "slipway.reason": "no"}
    with pytest.raises(UserError, match="champion is taken from it"):
        shop.train("one")
    assert shop.champion() is None


def test_an_alias_that_somebody_has_moved_meanwhile_stays_where_it_is(shop: Shop) -> None:
    shop.write(alpha=100)
    shop.train("one")
    shop.write(alpha=50)
    shop.train("two", until="register")
    shop.write(alpha=1)
    shop.train("three", until="register")
    shop.client.set_registered_model_alias(shop.name, ALIAS, "2")
    with pytest.raises(UserError, match="champion is at version 2 now, and the candidate was compared with 1"):
        shop.train("three")
    assert shop.champion() == "2"


def test_an_alias_that_is_taken_before_the_fleet_has_seen_it_is_not_waited_for(shop: Shop) -> None:
    shop.train("one", until="promote")
    shop.client.delete_registered_model_alias(shop.name, ALIAS)
    with pytest.raises(UserError, match="was taken from version 1 before the fleet had seen it"):
        runner.perform("follow", shop.open("one"))


def test_where_no_alias_is_followed_nothing_is_waited_for(shop: Shop) -> None:
    shop.outputs["delivery"]["follow_alias"] = False
    told = runner.report(shop.train("one"))
    assert told.outcome == "promoted"
    assert f"slipway promote {shop.name}@champion" in told.why


def test_a_rollout_that_does_not_end_is_not_waited_for_for_ever(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(follow, "PATIENCE_SECONDS", -1000)
    monkeypatch.setattr(follow, "_paused", lambda: " (following is paused)")
    shop.train("one", until="promote")
    with pytest.raises(UserError, match=r"has not ended after .* \(following is paused\)"):
        runner.perform("follow", shop.open("one"))


def test_a_champion_that_was_made_elsewhere_is_compared_with_a_note(shop: Shop) -> None:
    shop.write(alpha=100, name=f"older_{shop.name}")
    shop.train("one", name=f"older_{shop.name}")
    told = runner.report(shop.train("one"))
    assert told.outcome == "promoted"
    assert "was not trained by this pipeline" in told.why


@pytest.mark.parametrize(
    ("text", "step", "reason"),
    [
        ("def evaluate(*_): return {'rmse': float('nan')}", "evaluate", "evaluate gives rmse = nan for the candidate"),
        ("def evaluate(*_): return {}", "evaluate", "returns a dict, and must return a dict of metrics"),
        ("def train(*_): return 5", "train", "returns a int, and must return a model"),
        ("def train(*_): raise KeyError('x')", "train", "failed in train (line 19): KeyError"),
        ("def load(_): return []", "validate", "returns a list, and must return a pandas.DataFrame"),
        ("HELD_BACK = 2.0", "validate", "HELD_BACK is 2.0"),
    ],
)
def test_what_a_pipeline_does_wrong_is_one_line(shop: Shop, text: str, step: str, reason: str) -> None:
    file = shop.pipelines / f"{shop.name}.py"
    file.write_text(f"{file.read_text().rstrip()}\n{text}\n")
    with pytest.raises(UserError) as refused:
        shop.train("one", until=step)
    assert reason in refused.value.message
    assert "\n" not in refused.value.message


def test_types_that_nobody_trusts_are_named(shop: Shop) -> None:
    file = shop.pipelines / f"{shop.name}.py"
    own = "class Mine(Ridge): pass\ndef train(features, target): return Mine().fit(features, target)"
    file.write_text(f"{file.read_text().rstrip()}\n{own}\n")
    with pytest.raises(UserError, match=r"types that nobody trusts: pipelines\.points_\d+\.Mine"):
        shop.train("one", until="train")


@pytest.mark.parametrize("run", ["", "a b", "x' or 1=1", "ü", "x" * 300])
def test_an_id_is_letters_and_digits(shop: Shop, run: str) -> None:
    with pytest.raises(UserError, match="is no id of a run"):
        shop.open(run)


def test_airflows_own_ids_are_ids(shop: Shop) -> None:
    assert shop.open("manual__2026-01-02T03:04:05.678901+00:00_AbCdEf12").book.id


def test_an_mlflow_that_does_not_answer_is_one_line(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:9")
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    with pytest.raises(UserError, match="MLflow cannot be asked"):
        shop.open("one")


def test_the_end_is_told_once_and_a_new_end_again(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    sent: list[str] = []

    def send(message: Message) -> str:
        sent.append(message.title)
        return "chat.example"

    monkeypatch.setattr(notify, "send", send)
    shop.train("one", until="promote")
    assert told.end(shop.open("one")) == "chat.example was told"
    assert shop.client.get_run(shop.open("one").book.id).info.status == "FAILED"
    shop.train("one")
    assert told.end(shop.open("one")) == "chat.example was told"
    assert told.end(shop.open("one")) == "told already"
    assert sent == [f"{shop.name}: the training failed", f"{shop.name}: version 1 of {shop.name} takes over"]
    assert shop.client.get_run(shop.open("one").book.id).info.status == "FINISHED"


@pytest.mark.parametrize("pipeline", ["diabetes", "spam"])
def test_the_examples_train_a_model_that_the_safe_format_takes(
    shop: Shop, pipeline: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SLIPWAY_PIPELINES")
    for step in ("validate", "train", "evaluate", "register"):
        runner.perform(step, runner.opened(pipeline, "one", None))
    found = runner.report(runner.opened(pipeline, "one", None))
    assert found.version == "1"
    assert found.data == "the pipeline's own data"
    assert found.metrics.get("f1", 1.0) > 0.8
    assert found.metrics.get("r2", 1.0) > 0.2

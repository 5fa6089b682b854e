"""`slipway train`: what a person sees, and how a program reads it."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from ops import notify
from ops.cli import main
from ops.errors import UserError
from ops.notify import Message
from ops.training import outline, runner
from ops.training.steps import Training
from tests.unit.ops.training.conftest import Shop


@pytest.fixture
def fleet(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> Shop:
    """The shop with a fleet that answers as soon as the alias has moved."""
    plain = runner.perform

    def performed(step: str, training: Training) -> str:
        if step == "follow" and training.decision.promotes:
            shop.watch()
        return plain(step, training)

    monkeypatch.setattr(runner, "perform", performed)
    monkeypatch.setattr(notify, "send", lambda message: "")
    return shop


def train(*words: str) -> Result:
    return CliRunner().invoke(main, ["train", *words])


def test_a_training_shows_its_steps_and_ends_with_0(fleet: Shop) -> None:
    done = train(fleet.name, "--data", str(fleet.data))
    assert done.exit_code == 0, done.stderr
    for step in ("validate", "train", "evaluate", "register", "promote", "follow", "notify"):
        assert f"ok   {step}" in done.stderr
    assert "promoted: rmse" in done.stderr
    assert fleet.champion() == "1"


def test_json_is_the_whole_report_and_nothing_else_on_stdout(fleet: Shop) -> None:
    report = json.loads(train(fleet.name, "--data", str(fleet.data), "--json").stdout)
    assert report["outcome"] == "promoted"
    assert report["deployment"] == "aaaaaaaaaaaa"
    assert report["metrics"]["rmse"] > 0


def test_one_that_fails_ends_with_1_and_goes_on_by_its_id(fleet: Shop) -> None:
    rows = fleet.data.read_text()
    fleet.data.write_text("")
    failed = train(fleet.name, "--data", str(fleet.data), "--run", "one")
    assert failed.exit_code == 1
    assert "validate:" in failed.stderr
    assert "Traceback" not in failed.stderr
    fleet.data.write_text(rows)
    assert train(fleet.name, "--data", str(fleet.data), "--run", "one").exit_code == 0


GOOD = "x,y,target\n" + "".join(f"{number},{-number},{number * 2}\n" for number in range(30))


@pytest.mark.parametrize(
    ("rows", "why"),
    [
        ("", "points.csv cannot be read: No columns to parse from file"),
        ("x,y,target\n", "the training table is empty"),
        ("x,target\n1,2\n", "the training table has no column y"),
        (GOOD.replace("7,-7,14", "7,n/a,14"), "1 of 30 rows has a y that is not a number: row 8, like 'n/a'"),
        (GOOD.removesuffix(",58\n"), "1 of 30 rows has no value in column target: row 30"),
        ("".join(GOOD.splitlines(keepends=True)[:6]), "the training table has 5 rows, at least 20 are needed"),
    ],
)
def test_a_table_that_is_not_as_it_must_be_is_one_line_and_changes_nothing(
    fleet: Shop, rows: str, why: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent: list[Message] = []
    monkeypatch.setattr(notify, "send", sent.append)
    fleet.data.write_text(rows)
    done = train(fleet.name, "--data", str(fleet.data))
    assert done.exit_code == 1
    (line,) = [line for line in done.stderr.splitlines() if line.startswith("slipway train: ")]
    assert line.startswith("slipway train: validate: ")
    assert line.endswith(why)
    assert fleet.versions() == []
    assert [message.title for message in sent] == [f"{fleet.name}: the training failed"]
    assert why in sent[0].facts["why"]


@pytest.mark.long
def test_a_candidate_that_is_equal_to_the_champion_ends_well_and_says_so(fleet: Shop) -> None:
    train(fleet.name, "--data", str(fleet.data))
    done = train(fleet.name, "--data", str(fleet.data))
    assert done.exit_code == 0
    assert "unchanged: the candidate is equal to the champion: the same answers, rmse " in done.stderr
    assert fleet.versions() == ["1"]


def test_a_chat_that_cannot_be_told_fails_the_run_and_undoes_nothing(
    fleet: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(message: Message) -> str:
        raise UserError(f"the chat is away, and does not hear: {message.title}")

    monkeypatch.setattr(notify, "send", away)
    done = train(fleet.name, "--data", str(fleet.data))
    assert done.exit_code == 1
    assert (
        f"notify: the chat is away, and does not hear: {fleet.name}: version 1 of {fleet.name} takes over"
        in done.stderr
    )
    assert fleet.champion() == "1"


def test_a_pipeline_that_is_not_there_is_one_line(fleet: Shop) -> None:
    done = train("nothing")
    assert done.exit_code == 1
    assert done.stderr.startswith("slipway train: there is no pipeline 'nothing'\n  hint: ")


def test_a_file_without_train_is_one_line(fleet: Shop) -> None:
    (fleet.pipelines / "half.py").write_text("def load(data): ...\ndef evaluate(*_): ...\n")
    assert train("half").stderr.startswith("slipway train: pipelines/half.py has no function train\n")


def test_a_password_among_the_arguments_is_refused(fleet: Shop) -> None:
    done = train(fleet.name, "--data", "postgresql://ada:secret@db/shop")
    assert done.exit_code == 1
    assert "secret" not in done.output


@pytest.mark.parametrize("words", [[], ["diabetes", "--list"]])
def test_wrong_usage_ends_with_2(words: list[str]) -> None:
    assert train(*words).exit_code == 2


def test_the_list_has_every_pipeline_and_what_is_wrong_with_others(fleet: Shop) -> None:
    (fleet.pipelines / "half.py").write_text("")
    shown = train("--list").stdout
    assert fleet.name in shown
    assert "has no function load" in shown
    found = json.loads(train("--list", "--json").stdout)
    assert [each["name"] for each in found] == ["half", fleet.name]
    assert found[0]["reason"]


def test_an_empty_folder_says_where_it_looked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(outline.VARIABLE, str(tmp_path))
    assert f"{tmp_path} has no pipeline" in train("--list").stderr

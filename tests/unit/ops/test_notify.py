"""`ops.notify`: who is told, what a chat gets to read, and that a rollout waits for none of it."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ops import cache, notify, store
from ops.errors import UserError
from ops.notify import Message
from ops.rollout import told
from ops.rollout.history import Kind, Outcome, Record
from ops.training import told as trained
from ops.training.runner import Report
from tests.chat import Chat, chat
from tests.waiting import until

RECORD = Record(
    rollout="20260102T030405Z-bbbbbbbbbbbb",
    deployment="bbbbbbbbbbbb",
    previous="aaaaaaaaaaaa",
    by="watcher",
    reason="the alias says shop/4",
    started="2026-01-02T03:04:05+00:00",
    seconds=41.3,
    outcome=Outcome.DONE,
    nodes=["serving-1", "serving-2"],
)
OLD = {"release": "1" * 64, "models": [{"name": "shop", "version": "3", "metrics": {"rmse": 54.25}}]}
NEW = {
    "release": "1" * 64,
    "models": [{"name": "shop", "version": "4", "alias": "champion", "metrics": {"rmse": 53.5}}],
}


class Manifests:
    """A store that has two deployments."""

    def manifest(self, deployment: str) -> dict[str, Any]:
        if deployment not in (RECORD.previous, RECORD.deployment):
            raise UserError(f"no deployment {deployment}")
        return OLD if deployment == RECORD.previous else NEW


@pytest.fixture
def found() -> Iterator[Chat]:
    with chat() as running:
        yield running


@pytest.fixture
def outputs(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    known: dict[str, Any] = {"region": "us-east-1", "delivery": {}}
    monkeypatch.setattr(store, "outputs", lambda: known)
    monkeypatch.delenv(notify.FILE, raising=False)
    return known


@pytest.fixture
def file(found: Chat, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    place = tmp_path / "webhook"
    place.write_text(f"{found.url}\n")
    monkeypatch.setenv(notify.FILE, str(place))
    monkeypatch.setenv(notify.PRIVATE, "1")
    return place


def test_nobody_is_told_unless_there_is_an_address(outputs: dict[str, Any]) -> None:
    assert notify.webhook() is None
    assert notify.send(Message("hello", {})) == ""


def test_the_address_may_be_in_a_file(outputs: dict[str, Any], file: Path, found: Chat) -> None:
    assert notify.send(Message("hello", {"a": "b"})) == "127.0.0.1"
    assert found.told[0]["text"] == "hello\n*a:* b"


def test_without_the_setting_nothing_inside_the_network_is_told(
    outputs: dict[str, Any], file: Path, found: Chat, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(notify.PRIVATE)
    with pytest.raises(UserError, match="is not https"):
        notify.send(Message("hello", {}))
    assert found.paths == []


def test_a_file_that_is_not_there_is_one_line(outputs: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(notify.FILE, "/nowhere/webhook")
    with pytest.raises(UserError, match="No such file"):
        notify.webhook()


def test_what_is_told_is_what_slack_and_its_kin_read() -> None:
    payload = Message(
        "a < b", {"why": "<@everyone> & more", "nothing": "", "long": "x" * 9000}, "https://x/y"
    ).payload()
    assert payload["text"].startswith("a &lt; b\n*why:* &lt;@everyone&gt; &amp; more\n*long:* xxx")
    header, *sections, context = payload["blocks"]
    assert header == {"type": "header", "text": {"type": "plain_text", "text": "a < b"}}
    assert [each["type"] for each in sections] == ["section", "section"]
    assert all(len(each["text"]["text"]) < 3000 for each in sections)
    assert context["elements"][0]["text"] == "<https://x/y|more>"
    assert json.dumps(payload)


def test_a_rollout_is_told_with_models_metrics_and_who() -> None:
    message = told.message(Manifests(), RECORD, "https://models.example")  # type: ignore[arg-type]
    assert message.title == "deploy of deployment bbbbbbbbbbbb is done"
    assert message.facts["models"] == "shop 3 → 4 (champion)"
    assert message.facts["metrics"] == "shop: rmse 54.25 → 53.5"
    assert message.facts["by"] == "watcher, the alias says shop/4"
    assert message.facts["took"] == "41 s on 2 nodes"


@pytest.mark.parametrize("outcome", list(Outcome))
def test_every_outcome_has_its_words(outcome: Outcome) -> None:
    record = Record(**{**vars(RECORD), "outcome": outcome, "kind": Kind.ROLLBACK, "why": "errors rose"})
    message = told.message(Manifests(), record)  # type: ignore[arg-type]
    assert message.title.startswith("rollback of deployment bbbbbbbbbbbb ")
    assert message.facts["why"] == "errors rose"


def test_a_deployment_that_is_pruned_hinders_nothing() -> None:
    record = Record(**{**vars(RECORD), "previous": "cccccccccccc"})
    assert told.message(Manifests(), record).facts["models"] == "shop new → 4 (champion)"  # type: ignore[arg-type]


def test_a_training_is_told_with_old_and_new_metrics() -> None:
    report = Report(
        run="r1",
        pipeline="shop",
        model="sales",
        outcome="promoted",
        why="rmse 53.5, the champion's is 54.25",
        data="postgresql://db/shop",
        rows="442",
        version="4",
        deployment="bbbbbbbbbbbb",
        metrics={"rmse": 53.5},
        champion="3",
        champion_metrics={"rmse": 54.25},
        link="http://mlflow/#/experiments/1/runs/2",
    )
    message = trained.message(report)
    assert message.title == "shop: version 4 of sales takes over"
    assert message.facts["metrics"] == "rmse 54.25 → 53.5"
    assert message.facts["trained on"] == "442 rows of postgresql://db/shop"
    assert message.link == report.link


def test_a_rollout_starts_what_tells_of_it_and_does_not_wait(
    outputs: dict[str, Any], file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(cache.VARIABLE, str(tmp_path / "cache"))
    started: list[list[str]] = []
    monkeypatch.setattr(subprocess, "Popen", lambda argv, **_: started.append(argv))
    notify.rollout_ended(RECORD)
    assert started == [[sys.executable, "-m", "ops.notify", RECORD.rollout]]
    assert "secret" not in str(started)


def test_maintenance_is_no_news(outputs: dict[str, Any], file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(subprocess, "Popen", lambda *_, **__: pytest.fail("somebody is told"))
    notify.rollout_ended(Record(**{**vars(RECORD), "previous": RECORD.deployment}))


@pytest.mark.parametrize("trouble", [UserError("no stack"), OSError("no process")])
def test_whatever_goes_wrong_a_rollout_ends(
    trouble: Exception, outputs: dict[str, Any], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail() -> dict[str, Any]:
        raise trouble

    monkeypatch.setattr(store, "outputs", fail)
    notify.rollout_ended(RECORD)
    assert "nobody is told" in capsys.readouterr().err


def test_the_process_outlives_who_started_it_and_logs_the_host_only(
    file: Path, found: Chat, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The real one, whose stack is what a `pulumi` on PATH says."""
    monkeypatch.setenv(cache.VARIABLE, str(tmp_path / "cache"))
    tool = tmp_path / "bin" / "pulumi"
    tool.parent.mkdir()
    tool.write_text("#!/bin/sh\necho 'the stack has gone' >&2\nexit 1\n")
    tool.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tool.parent}{os.pathsep}{os.environ['PATH']}")
    notify.rollout_ended(RECORD)
    log = tmp_path / "cache" / "rollouts" / f"{RECORD.rollout}.log"
    until(lambda: "the stack has gone" in log.read_text(), log.read_text, 60)
    assert "secret-part" not in log.read_text()

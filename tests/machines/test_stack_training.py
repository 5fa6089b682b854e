"""A pipeline on the whole stack: its model takes the alias, the fleet follows, and a chat hears of it."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from mlflow import MlflowClient

from ops import notify
from tests.chat import Chat, chat
from tests.machines.live import Live
from tests.machines.models import MODEL, Deployed
from tests.waiting import until

ALIAS = "champion"


@pytest.fixture
def told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Chat]:
    """A chat that hears of what is trained and rolled from here."""
    with chat() as found:
        file = tmp_path / "webhook"
        file.write_text(found.url)
        monkeypatch.setenv(notify.FILE, str(file))
        monkeypatch.setenv(notify.PRIVATE, "1")
        yield found


def train(stack: Live) -> dict[str, Any]:
    report: dict[str, Any] = json.loads(stack.run("slipway", "train", "diabetes", "--json").stdout)
    return report


def models_of(stack: Live) -> dict[str, dict[str, Any]]:
    return {entry["name"]: entry for entry in stack.store.manifest(stack.store.pointer())["models"]}


def test_a_model_is_trained_and_served_beside_the_other_and_a_rollback_takes_it_away(
    stack: Live, first: Deployed, told: Chat
) -> None:
    before, client = stack.store.pointer(), MlflowClient()
    report = train(stack)
    name, version = report["model"], report["version"]
    assert report["outcome"] == "promoted", report
    stack.until_idle()
    assert set(models_of(stack)) == {MODEL, name}
    assert set(stack.serving()) == {report["deployment"]} == {stack.store.pointer()}
    assert client.get_model_version_by_alias(name, ALIAS).version == version
    assert models_of(stack)[name]["metrics"] == report["metrics"]
    assert len(models_of(stack)[name]["golden"]["targets"]) > 20, "rows that were held back, and their truth"

    again = train(stack)
    assert (again["outcome"], again["version"]) == ("unchanged", ""), "it is equal to the champion"

    stack.run("slipway", "rollback", "--reason", "the test is over")
    client.delete_registered_model_alias(name, ALIAS)
    assert set(stack.serving()) == {before}
    until(lambda: len(told.told) == 3, lambda: f"all three are told: {told.told}", 60)
    texts = [each["text"] for each in told.told]
    assert texts[0].startswith(f"diabetes: version {version} of {name} takes over")
    assert texts[1].startswith(f"diabetes: {name} stays as it is")
    assert texts[2].startswith(f"rollback of deployment {before} is done")
    assert f"{name} {version} → retired" in texts[2]

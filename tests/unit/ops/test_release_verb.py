"""`slipway release --kind`: how what is no server's comes to its node."""

from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from ops import release, store
from ops.cli import main
from ops.release import Release
from ops.verbs import releases
from tests.unit.documents import ROOT

DIGEST = "3f0c" * 16


@pytest.fixture
def done(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What was built and uploaded."""
    seen: list[str] = []

    def build(kind: str, _: object) -> Release:
        seen.append(f"built {kind}")
        return Release(DIGEST, "file")

    def publish(_: object, made: Release) -> bool:
        seen.append(f"uploaded {made.digest}")
        return True

    monkeypatch.setattr(release, "build", build)
    monkeypatch.setattr(release, "publish", publish)
    monkeypatch.setattr(store, "current", lambda: None)
    return seen


def invoke(*words: str) -> Result:
    return CliRunner().invoke(main, ["release", *words])


@pytest.mark.parametrize("kind", list(releases.SETTINGS))
def test_it_is_uploaded_and_the_setting_that_brings_it_is_named(done: list[str], kind: str) -> None:
    ended = invoke("--kind", kind)
    assert ended.exit_code == 0, ended.output
    assert done == [f"built {kind}", f"uploaded {DIGEST}"]
    assert ended.stdout == f"{DIGEST}\n", "a script sets it"
    assert f"`pulumi config set --path {releases.SETTINGS[kind]} {DIGEST}`" in ended.stderr  # type: ignore[index]


def test_the_settings_are_those_of_the_page() -> None:
    page = (ROOT / "docs" / "settings.md").read_text()
    assert [each for each in releases.SETTINGS.values() if f"`{each}`" not in page] == []


def test_without_a_kind_it_is_the_servers(done: list[str]) -> None:
    ended = invoke()
    assert done == ["built server", f"uploaded {DIGEST}"]
    assert "pulumi" not in ended.stderr


def test_it_may_be_built_and_left_here(done: list[str]) -> None:
    assert invoke("--kind", "training", "--no-upload").stdout == f"{DIGEST}\n"
    assert done == ["built training"]


def test_a_file_that_is_no_pipeline_is_refused_before_anything_is_built(
    done: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(release, "CHECKOUT", tmp_path)
    (tmp_path / "pipelines").mkdir()
    (tmp_path / "pipelines" / "prices.py").write_text("def load(data): ...\n")
    ended = invoke("--kind", "training")
    assert ended.exit_code == 1
    assert ended.stderr.startswith("slipway release: pipelines/prices.py has no function train and no evaluate\n")
    assert done == []


@pytest.mark.parametrize("words", [["--require", "xgboost"], ["--served"], ["--for", "iris@champion"]])
def test_what_is_about_the_server_is_wrong_usage_for_others(done: list[str], words: list[str]) -> None:
    assert invoke("--kind", "training", *words).exit_code == 2
    assert invoke("--kind", "jobs").exit_code == 2, "no setting names one"
    assert done == []

"""`slipway push init`: what it makes, what it leaves alone, and what it refuses."""

import subprocess
from pathlib import Path

import pytest
from click.testing import CliRunner

from ops.cli import main
from ops.errors import UserError
from ops.push import init
from tests.unit.ops.push.conftest import Place


def test_the_verb_makes_a_repository_and_says_how_to_push(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SLIPWAY_STACK", "dev")
    folder = tmp_path / "live.git"
    done = CliRunner().invoke(main, ["push", "init", str(folder), "--branch", "main"])
    assert done.exit_code == 0, done.output
    assert done.stdout == f"git remote add slipway {folder}\ngit push slipway HEAD:main\n"
    assert "export SLIPWAY_STACK=dev" in (folder / "hooks" / "proc-receive").read_text()
    assert (folder / "HEAD").read_text() == "ref: refs/heads/main\n"


@pytest.mark.long
def test_again_it_keeps_what_was_pushed_and_sets_the_hooks_anew(place: Place) -> None:
    place.push()
    before = place.bare.tip()
    hook = place.bare.folder / "hooks" / "pre-receive"
    hook.write_text("#!/bin/sh\nexit 1\n")
    init.make(place.bare.folder, "production")
    assert place.bare.tip() == before
    assert "ops.push.receive pre-receive" in hook.read_text()


@pytest.mark.long
def test_a_development_stacks_branch_is_main(place: Place) -> None:
    init.make(place.bare.folder, "main")
    place.bare.git("config", "slipway.program", str(place.fake / "slipway"))
    assert "only main is taken here" in place.push().stderr
    assert place.push("HEAD:main").returncode == 0


@pytest.mark.long
def test_the_hooks_read_the_environment_that_they_are_given(place: Place, tmp_path: Path) -> None:
    environment = tmp_path / "its env"
    environment.write_text("export SLIPWAY_BY=robot@ci\n")
    init.make(place.bare.folder, "production", environment=environment)
    place.bare.git("config", "slipway.program", str(place.fake / "slipway"))
    assert place.push().returncode == 0
    assert place.calls()[0]["by"] == "robot@ci"


def test_a_folder_with_other_things_in_it_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "letter").write_text("dear")
    with pytest.raises(UserError, match="not empty, and no bare repository"):
        init.make(tmp_path, "production")
    assert [each.name for each in tmp_path.iterdir()] == ["letter"]


@pytest.mark.parametrize("branch", ["", "-x", "a..b", "a b", "$(x)"])
def test_a_branch_needs_a_name(tmp_path: Path, branch: str) -> None:
    with pytest.raises(UserError, match="is no name of a branch"):
        init.make(tmp_path / "live.git", branch)


def test_a_git_that_has_not_the_hook_is_refused() -> None:
    with pytest.raises(UserError, match=r"git version 2\.20\.1 is too old"):
        init.refuse_old_git("git version 2.20.1\n")
    init.refuse_old_git("git version 2.29.0.windows.1\n")


def test_the_hooks_are_shell(place: Place) -> None:
    for hook in init.HOOKS:
        subprocess.run(["sh", "-n", place.bare.folder / "hooks" / hook], check=True)

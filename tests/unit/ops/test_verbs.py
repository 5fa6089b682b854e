"""How the operator's verbs call what does the work."""

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import click
import pytest

from ops.verbs import rollouts
from ops.verbs.promote import Asked
from tests.unit.documents import ROOT

NOTHING: dict[str, Any] = {
    **dict.fromkeys(("release_digest", "mode", "canary", "origin", "reason")),
    **dict.fromkeys(("build", "breaking", "shadow", "finish", "abort"), False),
    "models": (),
}


def test_a_playbook_is_given_its_variables_as_json() -> None:
    name, playbook, flag, given = rollouts.command(
        "deploy.yml", {"deployment": "3f2a9c1b7d20", "reason": "Ada's 'why'"}
    )
    assert Path(name).name == "ansible-playbook"
    assert (playbook, flag) == ("playbooks/deploy.yml", "-e")
    assert json.loads(given) == {"deployment": "3f2a9c1b7d20", "reason": "Ada's 'why'"}
    assert rollouts.command("rollback.yml", {})[1:] == ["playbooks/rollback.yml"]


@pytest.mark.parametrize(
    ("given", "percent", "why"),
    [
        ({"models": ("iris@champion",)}, None, "promote iris@champion"),
        ({"models": ("iris/4",), "canary": "5%"}, 5, "promote iris/4 --canary 5%"),
        ({"release_digest": "3f0c" * 16}, None, "promote release 3f0c3f0c3f0c"),
        ({"origin": "dev", "shadow": True}, 0, "promote --from dev --shadow"),
        ({"finish": True}, None, "promote --finish"),
        ({"models": ("iris/4",), "reason": "Ada said so"}, None, "Ada said so"),
    ],
)
def test_the_history_has_the_reason_or_else_the_command(given: dict[str, Any], percent: int | None, why: str) -> None:
    asked = Asked(**(NOTHING | given))
    asked.check()
    assert asked.why(percent) == why


@pytest.mark.parametrize(
    "given",
    [{}, {"origin": "dev", "models": ("iris/4",)}, {"origin": "dev", "finish": True}, {"canary": "5%", "shadow": True}],
)
def test_what_contradicts_itself_is_wrong_usage(given: dict[str, Any]) -> None:
    with pytest.raises(click.UsageError):
        Asked(**(NOTHING | given)).check()


def test_ansible_finds_this_python_and_its_configuration(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("ANSIBLE_CONFIG", raising=False)
    given = rollouts.environment()
    assert Path(given["ANSIBLE_CONFIG"]).is_file()
    assert Path(given["PATH"].split(os.pathsep)[0], "python3").exists()


def test_the_command_works_from_any_folder_through_a_link(tmp_path: Path) -> None:
    (tmp_path / "ops").mkdir()
    (tmp_path / "ops" / "__init__.py").write_text("raise SystemExit('the wrong ops')")
    link = tmp_path / "slipway"
    link.symlink_to(ROOT / "ops" / "bin" / "slipway")
    done = subprocess.run([link, "--help"], cwd=tmp_path, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr
    assert "Usage: slipway" in done.stdout

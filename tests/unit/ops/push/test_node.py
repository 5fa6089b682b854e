"""What the pipeline node prepares, in a folder of the test's: keys, repository, hooks, and its own program."""

import os
import pwd
import subprocess
from pathlib import Path

import pytest

from ops import store
from ops.errors import UserError
from ops.push import kept, node
from ops.push.repository import NOTHING

ME = pwd.getpwuid(os.getuid()).pw_name
KEY = "ssh-ed25519 AAAA ada@desk"


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A node without a cloud: its account is the test's own, and the bucket has nothing."""
    monkeypatch.setattr(node, "PLACE", str(tmp_path / "push" / "live.git"))
    monkeypatch.setattr(node, "USER", ME)
    monkeypatch.setattr(node, "PYTHON", "/usr/bin/python3")
    monkeypatch.setattr(node, "KEYS", tmp_path / "keys")
    monkeypatch.setattr(node, "SHELL", pwd.getpwnam(ME).pw_shell)
    monkeypatch.setattr(store, "current", lambda: None)
    monkeypatch.setattr(store, "outputs", lambda: {"pipeline": {"push_branch": "main"}})
    monkeypatch.setattr(kept, "restore", lambda *_: False)
    keys = tmp_path / "home" / "admin" / ".ssh" / "authorized_keys"
    keys.parent.mkdir(parents=True)
    keys.write_text(f"{KEY}\n")
    return tmp_path


def test_it_makes_a_repository_of_the_stacks_branch_for_the_operators_keys(machine: Path) -> None:
    for _ in range(2):
        made = node.prepare(machine / "home")
        assert (made.branch, made.tip(), made.setting(kept.SETTING)) == ("main", NOTHING, "true")
        assert (machine / "keys" / ME).read_text() == f"restrict {KEY}\n"
    hook = (made.folder / "hooks" / "proc-receive").read_text()
    assert "exec /usr/bin/python3 -P -m ops.push.receive proc-receive" in hook
    program = Path(made.program)
    assert program.stat().st_mode & 0o777 == 0o755
    assert program.read_text() == '#!/bin/sh\nexec /usr/bin/python3 -m ops "$@"\n'
    assert machine.joinpath("push").stat().st_mode & 0o777 == 0o750


def test_what_the_shell_lets_an_operator_do_is_git_alone(machine: Path) -> None:
    made = node.prepare(machine / "home")
    shell = "/usr/bin/git-shell"
    allowed = subprocess.run([shell, "-c", f"git-upload-pack '{made.folder}'"], input=b"0000", check=False)
    assert allowed.returncode == 0
    refused = subprocess.run([shell, "-c", "id"], capture_output=True, text=True, check=False)
    assert refused.returncode
    assert "unrecognized command" in refused.stderr


def test_a_node_without_git_says_so(machine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(machine))
    with pytest.raises(UserError, match="no git"):
        node.prepare(machine / "home")

"""Commands on nodes over ssh: how they are asked, and what stands in the way, in one line."""

import os
from pathlib import Path

import pytest

from ops import remote
from ops.inventory import Access
from ops.nodes import Node

NODE = Node(id="i-0aaa", role="serving", state="running", address="10.0.0.7", zone="", group=None)


@pytest.fixture
def access(tmp_path: Path) -> Access:
    return Access(stack="local", key=tmp_path / "key", proxy="nc {address} 22", known_hosts=tmp_path / "known")


def ssh(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: str) -> None:
    """In place of ssh: a program of the test's own."""
    program = tmp_path / "bin" / "ssh"
    program.parent.mkdir()
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}:{os.environ['PATH']}")


def test_a_node_is_reached_as_the_inventory_says(access: Access) -> None:
    argv = remote.command(NODE, access, ["journalctl", "--since=10 min ago"])
    assert argv[0] == "ssh"
    assert "ProxyCommand=nc 10.0.0.7 22" in argv
    assert "StrictHostKeyChecking=yes" in argv
    assert "BatchMode=yes" in argv
    assert argv[argv.index("-i") + 1] == str(access.key)
    assert argv[-3:] == ["admin@i-0aaa", "--", "sudo --non-interactive -- journalctl '--since=10 min ago'"]


def test_all_are_asked_and_each_answers_for_itself(
    access: Access, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ssh(tmp_path, monkeypatch, 'case "$*" in *i-0aaa*) echo yes;; *) echo broken >&2; exit 3;; esac')
    other = Node(id="i-0bbb", role="serving", state="running", address="10.0.0.8", zone="", group=None)
    answers = remote.ask_all([NODE, other], access, ["true"], 30)
    assert answers == {
        "i-0aaa": remote.Answer("yes\n", status=0),
        "i-0bbb": remote.Answer(error="broken", status=3),
    }


def test_who_takes_too_long_is_left(access: Access, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ssh(tmp_path, monkeypatch, "exec sleep 600")
    assert remote.ask(NODE, access, ["true"], 0.5) == remote.Answer(error="no answer within 0.5 s")


@pytest.mark.parametrize(
    ("stderr", "reason"),
    [
        ("@@@\n@ WARNING: REMOTE HOST IDENTIFICATION HAS CHANGED! @\n@@@\n...", "its host key is not the one that"),
        ("admin@i-0aaa: Permission denied (publickey).", "it refuses this SSH key"),
        ("ssh: connect to host i-0aaa port 22: Connection refused", "it refuses the connection"),
        ("ssh: connect to host i-0aaa port 22: Connection timed out", "it does not answer"),
        ("a\nsudo: slipway-activate: command not found\n", "sudo: slipway-activate: command not found"),
        ("", ""),
    ],
)
def test_what_stands_in_the_way_is_one_clear_line(stderr: str, reason: str) -> None:
    assert remote.explained(stderr).startswith(reason)
    assert "\n" not in remote.explained(stderr)


def test_a_node_that_does_not_run_is_not_asked(access: Access) -> None:
    pending = Node(id="i-0aaa", role="serving", state="pending", address="", zone="", group=None)
    assert remote.known(pending, access, None) == "it is pending"

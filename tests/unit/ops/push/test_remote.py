"""The user's side: the remote, and the ssh that git calls for it, and for every other host as it was."""

import os
import subprocess
from pathlib import Path

import boto3
import pytest
from click.testing import CliRunner

from ops import hostkeys, store
from ops.cli import main
from ops.errors import UserError
from ops.inventory import Access
from ops.nodes import Node
from ops.push import node, remote
from tests.unit.ops.push.conftest import Place

HOST = "slipway-pipeline@prod.slipway.internal"
NODE = Node(id="i-0abc", role="pipeline", state="running", address="10.0.1.9", zone="us-east-1a", group="g")


@pytest.fixture
def access(tmp_path: Path) -> Access:
    known = tmp_path / "known"
    known.mkdir()
    (known / NODE.id).write_text(f"{NODE.id} ssh-ed25519 AAAA\n")
    return Access(stack="prod", key=Path("/keys/id"), proxy="tunnel {id} {address}", known_hosts=known)


def test_the_remote_and_its_command_are_set_in_the_users_repository(
    place: Place, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("SLIPWAY_STACK", "prod")
    environment = tmp_path / "env file"
    environment.touch()
    for _ in range(2):
        remote.add(place.user, "live", environment)
    assert place.git("remote", "get-url", "live").stdout.strip() == f"ssh://{HOST}{remote.PLACE}"
    command = place.git("config", "core.sshCommand").stdout
    assert command.startswith(f". '{environment}'; env PYTHONPATH=")
    assert command.strip().endswith("-m ops.push.remote")


def test_the_verb_prints_the_branch_that_the_stack_takes(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SLIPWAY_STACK", "prod")
    monkeypatch.chdir(place.user)
    for told, branch in (({"push_branch": "main"}, "main"), (None, "production")):
        monkeypatch.setattr(store, "outputs", lambda told=told: {"pipeline": told} if told else {})
        done = CliRunner().invoke(main, ["push", "remote", "live"])
        assert done.exit_code == 0, done.output
        assert done.stdout == f"git push live HEAD:{branch}\n"


def test_an_ssh_command_of_the_users_own_is_left_alone(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SLIPWAY_STACK", "prod")
    place.git("config", "core.sshCommand", "ssh -F mine")
    with pytest.raises(UserError, match="ssh command of its own: ssh -F mine"):
        remote.add(place.user, "live", None)


def test_the_node_is_reached_as_operators_reach_nodes(access: Access, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(boto3, "client", lambda _: None)
    monkeypatch.setattr(remote, "nodes", lambda *_: [NODE])
    words = remote.options(["-o", "SendEnv=GIT_PROTOCOL", HOST, "git-receive-pack 'x'"], access)
    assert f"HostKeyAlias={NODE.id}" in words
    assert f"UserKnownHostsFile={access.known_hosts / NODE.id}" in words
    assert "StrictHostKeyChecking=yes" in words
    assert "ProxyCommand=tunnel i-0abc 10.0.1.9" in words
    assert words[-2:] == ["-i", "/keys/id"]


def test_a_node_that_has_shown_no_host_key_is_not_connected_to(access: Access, monkeypatch: pytest.MonkeyPatch) -> None:
    (access.known_hosts / NODE.id).unlink()
    monkeypatch.setattr(boto3, "client", lambda _: None)
    monkeypatch.setattr(remote, "nodes", lambda *_: [NODE])
    monkeypatch.setattr(hostkeys, "console_output", lambda *_: "")
    with pytest.raises(UserError, match="it has shown no host key on its console yet"):
        remote.options([HOST], access)


def test_a_stack_without_a_pipeline_node_says_what_else_there_is(
    access: Access, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(boto3, "client", lambda _: None)
    monkeypatch.setattr(remote, "nodes", lambda *_: [])
    with pytest.raises(UserError, match="no pipeline node") as caught:
        remote.options([HOST], access)
    assert "slipway push init" in caught.value.hint


@pytest.mark.parametrize(
    ("words", "found"),
    [
        (["git@github.com", "git-upload-pack 'x'"], "git@github.com"),
        (["-p", "2222", "-4", "me@host"], "me@host"),
        (["-oPort=22", "me@host", "-x"], "me@host"),
        (["-G", "me@host"], "me@host"),
        ([], ""),
    ],
)
def test_the_host_is_found_among_sshs_arguments(words: list[str], found: str) -> None:
    assert remote.host(words) == found


def test_other_hosts_go_to_plain_ssh(tmp_path: Path) -> None:
    """Without a stack, without the cloud: a user's other remotes work as before."""
    ssh = tmp_path / "ssh"
    ssh.write_text('#!/bin/sh\necho "$@"\n')
    ssh.chmod(0o755)
    environment = {"PATH": f"{tmp_path}:{os.environ['PATH']}"}
    argv = ["sh", "-c", f'{remote.command(None)} "$@"', "sh", "git@github.com", "git-upload-pack 'x'"]
    done = subprocess.run(argv, env=environment, capture_output=True, text=True, check=True)
    assert done.stdout == "git@github.com git-upload-pack 'x'\n"


def test_an_operators_keys_may_only_push() -> None:
    text = "# made by cloud-init\nssh-ed25519 AAAA ada@desk\n\nno-pty ssh-rsa BBBB\nssh-rsa CCCC bob\n"
    assert list(node.restricted(text)) == ["restrict ssh-ed25519 AAAA ada@desk", "restrict ssh-rsa CCCC bob"]

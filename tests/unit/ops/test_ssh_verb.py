"""`slipway ssh`: by the way in that all access to nodes takes, with ssh's own words after it."""

import os
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from ops import remote
from ops.cli import main
from ops.inventory import Access
from ops.nodes import Node
from ops.verbs import ssh

NODES = [
    Node(id="i-0aaa", role="pipeline", state="stopping", address="10.0.0.7", zone="", group=None),
    Node(id="i-0bbb", role="pipeline", state="running", address="10.0.0.8", zone="", group=None),
]


class BegunError(Exception):
    """In place of this process."""


@pytest.fixture
def begun(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """What this process has become."""
    access = Access(stack="s", key=Path("/keys/id"), proxy="tunnel {address}", known_hosts=Path("/known"))
    monkeypatch.setattr(Access, "from_environment", lambda: access)
    monkeypatch.setattr(ssh, "nodes", lambda _: NODES)
    monkeypatch.setattr(
        remote, "pin_all", lambda found, _: {each.name: "it is stopping" for each in found if each.state != "running"}
    )
    became: list[list[str]] = []

    def exec_(program: str, argv: list[str]) -> None:
        became.append(argv)
        raise BegunError(program)

    monkeypatch.setattr(os, "execvp", exec_)
    return became


def invoke(*words: str) -> Result:
    return CliRunner().invoke(main, ["ssh", *words])


def test_what_follows_the_node_is_sshs_own(begun: list[list[str]]) -> None:
    done = invoke("pipeline", "-N", "-L", "8088:127.0.0.1:8088")
    assert isinstance(done.exception, BegunError), done.output
    (argv,) = begun
    assert argv[0] == "ssh"
    assert argv[-4:] == ["admin@i-0bbb", "-N", "-L", "8088:127.0.0.1:8088"]
    for option in ("ProxyCommand=tunnel 10.0.0.8", "HostKeyAlias=i-0bbb", "StrictHostKeyChecking=yes"):
        assert option in argv
    assert argv[argv.index("-i") + 1] == "/keys/id"


def test_a_command_keeps_its_own_options(begun: list[list[str]]) -> None:
    invoke("pipeline", "sudo", "-u", "slipway-pipeline", "--help")
    assert begun[0][-4:] == ["sudo", "-u", "slipway-pipeline", "--help"]


@pytest.mark.parametrize(
    ("wanted", "why"), [("i-0aaa", "pipeline-i-0aaa: it is stopping"), ("serving", "there is no node serving")]
)
def test_a_node_that_cannot_be_reached_is_one_line(begun: list[list[str]], wanted: str, why: str) -> None:
    done = invoke(wanted)
    assert done.exit_code == 1
    assert done.stderr.startswith(f"slipway ssh: {why}")
    assert not begun

"""The process that makes what was ordered, and what is heard of it."""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ops.orders.taker import Built
from ops.orders.world import Node
from ops.store import Store
from ops.watcher import children
from ops.watcher.children import Rolled, TroubleError
from tests.unit.ops.orders.conftest import NAME

SAYS = """
import json, sys
print(json.dumps({"event": "making", "step": "packing the release"}))
print("a word of a library")
print("3")
print(json.dumps({"order": "another", "refused": "no"}))
"""


@pytest.fixture
def node(tmp_path: Path) -> Node:
    return Node(Store("us-east-1", "bucket", "/parameter"), tmp_path)


def making(monkeypatch: pytest.MonkeyPatch, script: str) -> list[Any]:
    """Instead of the maker this script runs; returns how it is called."""
    roll, calls = children.roll, list[Any]()

    def instead(argv: list[str], log: Path, hear: Callable[[str], None], **more: Any) -> Rolled:
        calls.append((argv, more))
        return roll([sys.executable, "-c", script], log, hear, **more)

    monkeypatch.setattr(children, "roll", instead)
    return calls


def test_its_steps_are_heard_and_its_answer_is_the_one_of_this_order(
    node: Node, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    answer = f'print(json.dumps({{"order": {NAME!r}, "deployment": "d", "release": "r"}}))'
    calls = making(monkeypatch, SAYS + answer)
    heard: list[str] = []
    assert node.make(NAME, heard.append) == Built("d", "r")
    assert heard == ["packing the release"]
    assert "a word of a library" in capsys.readouterr().out, "the journal has all of it"
    ((argv, more),) = calls
    assert argv[1:] == ["-m", "ops.orders.maker", NAME]
    assert more["timeout_seconds"] == children.MAKING_SECONDS


def test_a_refusal_is_an_answer(node: Node, monkeypatch: pytest.MonkeyPatch) -> None:
    making(monkeypatch, SAYS + f'print(json.dumps({{"order": {NAME!r}, "refused": "why"}}))')
    assert node.make(NAME, lambda _: None) == Built(refused="why")


@pytest.mark.parametrize("end", ["", "sys.exit('the disk is full')"])
def test_any_other_end_is_trouble(node: Node, monkeypatch: pytest.MonkeyPatch, end: str) -> None:
    making(monkeypatch, SAYS + end)
    with pytest.raises(TroubleError, match="the disk is full" if end else "another"):
        node.make(NAME, lambda _: None)

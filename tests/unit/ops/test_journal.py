"""Lines of nodes' journals become entries, whoever wrote them."""

import json
from typing import Any

import click
import pytest

from ops import journal, reading
from ops.errors import UserError
from ops.nodes import Node

ACCESS = {
    "event": "request",
    "request_id": "abc",
    "method": "POST",
    "path": "/predict",
    "status": "200",
    "seconds": "0.012",
    "model": "iris/2",
    "agent": "",
}


def raw(message: Any, source: str = "model-server-a", **more: str) -> str:
    entry = {"__REALTIME_TIMESTAMP": "1800000000123456", "SYSLOG_IDENTIFIER": source, "PRIORITY": "6", **more}
    return json.dumps({**entry, "MESSAGE": json.dumps(message) if isinstance(message, dict) else message})


def entry(message: Any, source: str = "model-server-a", **more: str) -> journal.Entry:
    found = journal.parse(raw(message, source, **more), "i-1")
    assert found is not None
    return found


def test_a_line_of_ours_keeps_its_fields() -> None:
    found = entry({"level": "error", "message": "it raised", "request_id": "abc", "rows": 3})
    assert (found.time, found.node, found.source) == (1800000000.123456, "i-1", "model-server-a")
    assert (found.level, found.message, found.fields["rows"]) == ("error", "it raised", 3)


def test_nginxs_line_is_told_as_a_request() -> None:
    found = entry(ACCESS, "nginx_access")
    assert (found.level, found.message) == ("info", "POST /predict 200")
    shown = click.unstyle(journal.line(found))
    assert shown.endswith("i-1 nginx_access POST /predict 200 seconds=0.012 model=iris/2 id=abc")


def test_an_answer_that_failed_is_an_error() -> None:
    assert entry({**ACCESS, "status": "502"}, "nginx_access").level == "error"


@pytest.mark.parametrize(("priority", "level"), [("3", "error"), ("4", "warning"), ("6", "info")])
def test_text_has_the_journals_own_level(priority: str, level: str) -> None:
    assert entry("connect() failed", "nginx", PRIORITY=priority).level == level


def test_bytes_that_are_no_text_are_shown_all_the_same() -> None:
    assert entry([104, 105, 255], "nginx").message == "hi�"


def test_systemd_is_heard_about_our_units_only() -> None:
    assert journal.parse(raw("Started a.", "systemd", UNIT="model-server@a.service"), "i-1")
    assert journal.parse(raw("Started b.", "systemd", UNIT="apt-daily.service"), "i-1") is None


@pytest.mark.parametrize("line", ["", "-- Logs begin --", "{}", '{"MESSAGE": "x"}'])
def test_what_is_no_entry_is_left_out(line: str) -> None:
    assert journal.parse(line, "i-1") is None


def test_a_request_is_found_by_its_own_id_only() -> None:
    assert journal.of_request(entry(ACCESS, "nginx_access"), "abc")
    assert not journal.of_request(entry({**ACCESS, "request_id": "abcd"}, "nginx_access"), "abc")
    assert not journal.of_request(entry({"message": "abc", "request_id": "x"}), "abc")
    assert journal.of_request(entry("upstream failed, request: abc", "nginx"), "abc")


def test_the_id_is_asked_for_literally() -> None:
    argv = journal.command("serving", "-1h", None, follow=False, request_id="a.b+c")
    assert "--grep=a\\.b\\+c" in argv
    assert "--follow" not in argv


def test_the_lines_of_a_traceback_follow_the_entry() -> None:
    assert journal.line(entry({"level": "error", "message": "m", "trace": "Traceback\n  x"})).endswith("Traceback\n  x")


def node(identity: str, role: str = "serving") -> Node:
    return Node(id=identity, role=role, state="running", address="", zone="", group=None)


FLEET = [node("i-0aaa"), node("i-0bbb"), node("i-0ccc", "tracking")]


@pytest.mark.parametrize(
    ("wanted", "chosen"),
    [
        (None, ["i-0aaa", "i-0bbb"]),
        ("i-0bbb", ["i-0bbb"]),
        ("serving-i-0aaa", ["i-0aaa"]),
        ("bbb", ["i-0bbb"]),
        ("tracking", ["i-0ccc"]),
    ],
)
def test_nodes_are_chosen_by_id_name_end_or_role(wanted: str | None, chosen: list[str]) -> None:
    assert [each.id for each in reading.choose(FLEET, wanted)] == chosen


def test_a_node_that_is_not_there_is_an_error_that_names_those_that_are() -> None:
    with pytest.raises(UserError, match="no node i-9") as caught:
        reading.choose(FLEET, "i-9")
    assert "serving-i-0aaa" in caught.value.hint

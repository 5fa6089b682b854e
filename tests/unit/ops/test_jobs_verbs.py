"""`slipway jobs`: what it shows, and what a node's refusals become."""

import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from contract import JOBS_EXIT, PATHS
from ops import remote
from ops.cli import main
from ops.inventory import Access
from ops.nodes import Node
from ops.remote import Answer
from ops.verbs import jobs

JOB: dict[str, Any] = {
    "id": "01a1ffc6-04c3-7250-a3e1-db6a5f8016b9",
    "state": "failed",
    "created": "2026-01-02T03:04:05.678+00:00",
    "attempt": 5,
    "model": "echo/1",
    "deployment": "0123456789ab",
    "reason": "given up after 5 attempts",
    "dead": True,
}
Asked = Callable[..., list[list[str]]]


def node(number: int) -> Node:
    return Node(id=f"i-{number}", role="serving", state="running", address="10.0.0.1", zone="a", group=None)


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> Asked:
    """Nodes give these answers, one after another; returns what each was asked."""

    def answer(*answers: Answer) -> list[list[str]]:
        words: list[list[str]] = []
        left = list(answers)

        def ask(_node: Node, _access: Access, given: list[str], _seconds: float) -> Answer:
            words.append(given[len(jobs.COMMAND) :])
            return left.pop(0)

        access = Access(stack="s", key=None, proxy="direct", known_hosts=Path("/nowhere"))
        monkeypatch.setattr(Access, "from_environment", lambda: access)
        monkeypatch.setattr(jobs, "nodes", lambda _: [node(number) for number in range(len(answers))])
        monkeypatch.setattr(remote, "pin_all", lambda *_: {})
        monkeypatch.setattr(remote, "ask", ask)
        return words

    return answer


def invoke(*words: str) -> Result:
    return CliRunner().invoke(main, ["jobs", *words])


def said(value: Any) -> Answer:
    return Answer(json.dumps(value))


def test_the_list_shows_jobs_and_counts(asked: Asked) -> None:
    words = asked(said({"counts": {"failed": 1, "queued": 3}, "jobs": [JOB]}))
    done = invoke("list", "--state", "failed", "-n", "7")
    assert words == [["list", "--count", "7", "--state", "failed"]]
    shown = (str(JOB["id"]), "given up", "2026-01-02 03:04:05", "3 queued, 1 failed")
    assert all(text in done.output for text in shown)


def test_json_is_what_the_node_says(asked: Asked) -> None:
    asked(said({"counts": {}, "jobs": [JOB]}))
    assert json.loads(invoke("list", "--json").output)["jobs"] == [JOB]


def test_a_node_that_does_not_answer_is_passed_over(asked: Asked) -> None:
    asked(Answer(error="no answer within 30 s"), said(JOB))
    assert "given up after 5 attempts" in invoke("show", "x").output


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        (Answer(error="whatever it says", status=JOBS_EXIT.refused), "slipway jobs cancel: whatever it says\n"),
        (Answer(error="exit status 4", status=JOBS_EXIT.absent), "this stack has no asynchronous predictions\n"),
    ],
)
def test_a_refusal_is_one_line_and_no_other_node_is_asked(asked: Asked, answer: Answer, told: str) -> None:
    words = asked(answer, said(JOB))
    done = invoke("cancel", "x")
    assert (done.exit_code, told in done.output) == (1, True), done.output
    assert len(words) == 1


def test_what_only_sounds_like_a_refusal_is_none(asked: Asked) -> None:
    words = asked(Answer(error="there is no job control in this shell", status=1), said(JOB))
    assert "given up after 5 attempts" in invoke("show", "x").output
    assert len(words) == 2


def test_when_no_node_answers_each_reason_is_told(asked: Asked) -> None:
    asked(Answer(error="no answer within 30 s"), Answer(error="it refuses this SSH key", status=255))
    done = invoke("show", "x")
    assert done.exit_code == 1
    assert "serving-i-0: no answer within 30 s; serving-i-1: it refuses this SSH key\n" in done.output


def test_a_node_without_jobs_says_so_by_its_status(tmp_path: Path) -> None:
    """The very command, but for the place that it looks at."""
    for place, status in ((tmp_path, 0), (tmp_path / "absent", JOBS_EXIT.absent)):
        script = jobs.COMMAND[2].replace(PATHS.jobs, str(place))
        assert subprocess.run([*jobs.COMMAND[:2], script, "sh", "true"], check=False).returncode == status


def test_the_dead_are_named_or_all_of_them(asked: Asked) -> None:
    words = asked(said({"requeued": ["a"]}), said({"dropped": []}))
    assert invoke("dead", "requeue").exit_code == 2
    assert invoke("dead", "requeue", "a", "--all").exit_code == 2
    assert "1 queued again" in invoke("dead", "requeue", "a").output
    assert words == [["requeue", "a"]]


def test_messages_that_are_not_ours_are_shown(asked: Asked) -> None:
    asked(said({"jobs": [], "foreign": [{"headers": "{}", "body": "b'x'"}]}))
    assert "not ours: b'x' {}" in invoke("dead", "list").output

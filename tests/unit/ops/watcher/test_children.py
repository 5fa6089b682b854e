"""The processes that the watcher starts, and what it hears from them."""

import json
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from ops.watcher import children

CHECKOUT = Path(__file__).resolve().parents[4]


def test_the_playbook_is_run_with_values_that_no_shell_and_no_parser_splits() -> None:
    words = children.command("0123456789ab", "the alias says a/1, b/2 'x'")
    assert words[1:4] == ["-m", "ansible.cli.playbook", str(CHECKOUT / "playbooks" / "deploy.yml")]
    assert json.loads(words[-1]) == {"deployment": "0123456789ab", "reason": "the alias says a/1, b/2 'x'"}


def test_each_line_is_heard_and_the_status_is_the_childs(tmp_path: Path) -> None:
    heard: list[str] = []
    script = "import sys; print('one'); print('two', file=sys.stderr); sys.exit(4)"
    rolled = children.roll([sys.executable, "-c", script], tmp_path / "log", heard.append)
    assert sorted(heard) == ["one", "two"]
    assert (rolled.ok, rolled.status) == (False, children.UNREACHABLE)
    assert "one" in rolled.last_lines


def test_a_rollout_is_in_the_name_of_whoever_asked_for_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SLIPWAY_BY", "watcher")
    heard: list[str] = []
    argv = [sys.executable, "-c", "import os; print(os.environ['SLIPWAY_BY'])"]
    children.roll(argv, tmp_path / "log", heard.append)
    children.roll(argv, tmp_path / "log", heard.append, by="ada@desk")
    assert heard == ["watcher", "ada@desk"]


def test_what_has_a_time_is_ended_when_that_is_over(tmp_path: Path) -> None:
    argv = [sys.executable, "-c", "import time; print('begun', flush=True); time.sleep(600)"]
    rolled = children.roll(argv, tmp_path / "log", lambda _: None, timeout_seconds=1)
    assert rolled.status == -signal.SIGKILL


def test_headings_and_failures_are_events_and_the_rest_is_left_out(capsys: pytest.CaptureFixture[str]) -> None:
    hear = children.Headings("0123456789ab")
    for line in ("PLAY [Move every node] ****", "ok: [serving-i-1]", "fatal: [serving-i-1]: FAILED! => {}"):
        hear(line)
    events = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [event.get("step") or event["error"] for event in events] == [
        "Move every node",
        "fatal: [serving-i-1]: FAILED! => {}",
    ]
    assert {event["deployment"] for event in events} == {"0123456789ab"}


def test_what_a_tracking_node_runs_needs_no_local_cloud() -> None:
    """The control release holds none."""
    modules = (
        "ops.cli",
        "ops.watcher.command",
        "ops.watcher.maker",
        "ops.orders.maker",
        "ops.inventory",
        "ops.tracking.__main__",
    )
    script = f"import sys; sys.modules['localcloud'] = None\nimport {', '.join(modules)}\n" + (
        "assert 'mlflow' not in sys.modules, 'it is large'"
    )
    done = subprocess.run([sys.executable, "-c", script], cwd=CHECKOUT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr

"""The parts of `make up` and `make down` that need no machine: order of errors, what is said, what is left."""

import json
import os
import shlex
import signal
import sys
import threading
from pathlib import Path

import pytest

from localcloud.state import State
from ops import bringup, compare, delivery, example, ownership, summary, teardown
from ops.errors import UserError
from ops.follow import follow
from ops.run import run

ROW = {"age": 0.038076, "sex": 0.05068}

pytestmark = pytest.mark.usefixtures("signals")


def test_works_that_run_together_really_do_and_keep_their_order() -> None:
    meeting = threading.Barrier(2, timeout=5)

    def one() -> str:
        meeting.wait()
        return "one"

    def two() -> str:
        meeting.wait()
        return "two"

    assert bringup.together(one, two) == ["one", "two"]


def test_an_error_in_one_of_two_works_is_raised_after_the_other_has_ended() -> None:
    ended = threading.Event()

    def fails() -> None:
        raise UserError("no network")

    with pytest.raises(UserError, match="no network"):
        bringup.together(fails, ended.set)
    assert ended.is_set()


def test_when_both_works_fail_both_reasons_are_told() -> None:
    def fails(reason: str) -> None:
        raise UserError(reason)

    with pytest.raises(UserError, match=r"(?s)no network.*no space"):
        bringup.together(lambda: fails("no network"), lambda: fails("no space"))


def test_an_interrupt_reaches_what_the_works_follow(tmp_path: Path) -> None:
    script = "trap 'echo asked; exit 0' INT; echo begun; while :; do sleep 0.05; done"
    log = tmp_path / "x.log"

    def interrupt_main(_line: str) -> None:
        if _line == "begun":
            os.kill(os.getpid(), signal.SIGINT)

    with pytest.raises(KeyboardInterrupt):
        bringup.together(lambda: follow(["sh", "-c", script], interrupt_main, log=log), lambda: None)
    assert log.read_text() == "begun\nasked\n"


def test_the_curl_line_is_one_command_whose_body_is_the_first_row() -> None:
    words = shlex.split(summary.curl("http://localhost:8080", ROW))
    assert words[:3] == ["curl", "-s", "http://localhost:8080/predict"]
    assert json.loads(words[-1]) == ROW


def test_the_last_words_name_addresses_proof_and_the_way_down_but_no_password() -> None:
    outputs = {"url": "http://localhost:8080", "mlflow_url": "http://localhost:5000"}
    text = summary.summary(outputs, ROW, "442 rows equal")
    for part in (*outputs.values(), "442 rows equal", "make down", "make status", ". .slipway/env"):
        assert part in text


def test_the_example_is_the_same_every_time_and_knows_its_identity() -> None:
    first, second = example.train(), example.train()
    assert first.identity == second.identity
    assert list(first.forest.predict(first.rows)) == list(second.forest.predict(second.rows))
    registered = example.Registered("1", ours=True)
    expected = example.offline_predictions(first, registered, Path("unused"))
    assert compare.first_difference(expected, list(second.forest.predict(second.rows))) is None


def test_down_removes_what_belongs_to_the_stack_and_keeps_releases_and_logs(tmp_path: Path) -> None:
    state = State(tmp_path)
    for name in (*teardown.GENERATED, "releases", "log"):
        (state.slipway / name).mkdir(parents=True)
    teardown.remove_generated(state)
    assert {path.name for path in state.slipway.iterdir()} == {"releases", "log"}
    teardown.remove_generated(state)


def test_ansibles_headings_are_the_progress_of_a_rollout() -> None:
    said: list[str] = []
    watch = delivery.watcher(said.append)
    for line in ("PLAY [Move every node] ****", "", "TASK [activate : Start it] ***", "ok: [serving-i-1]"):
        watch(line)
    assert said == ["Move every node", "activate : Start it"]


def test_up_and_down_start_without_the_seconds_that_mlflow_takes_to_import() -> None:
    script = "import sys, ops.bringup, ops.teardown; print({'mlflow', 'sklearn', 'pandas'} & set(sys.modules))"
    assert run([sys.executable, "-c", script], cwd=Path(__file__).resolve().parents[2]).stdout.strip() == "set()"


def test_after_sudo_the_user_owns_the_tools_files_and_root_the_machines(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    owned: list[str] = []
    state = State(tmp_path)
    for name in ("env", "pulumi/.pulumi/x.json", "localcloud/localcloud.json", "localcloud/machines/i-1/root"):
        (state.slipway / name).parent.mkdir(parents=True, exist_ok=True)
        (state.slipway / name).touch()

    def chown(path: Path, user: int, group: int, *, follow_symlinks: bool = True) -> None:
        assert (user, group) == (1000, 1001)
        owned.append(str(path.relative_to(state.slipway)))

    monkeypatch.setenv("SLIPWAY_CACHE", str(tmp_path / "roots-own"))
    monkeypatch.setattr("os.chown", chown)
    ownership.give_back(state)
    assert owned == [], "root itself owns what it makes"
    monkeypatch.setenv("SUDO_UID", "1000")
    monkeypatch.setenv("SUDO_GID", "1001")
    ownership.give_back(state)
    assert {".", "env", "pulumi/.pulumi/x.json", "localcloud/localcloud.json"} <= set(owned)
    assert "localcloud/machines" not in owned

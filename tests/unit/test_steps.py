"""`ops.steps`: what a person sees of long work, on a terminal and in a log."""

import io
import threading
from pathlib import Path

import pytest

from ops.errors import UserError
from ops.steps import Step, StepError, Steps


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def fail(step: Step, log: Path, error: UserError) -> None:
    step.log = log
    raise error


def test_a_log_gets_one_line_at_the_start_and_one_with_the_time_at_the_end() -> None:
    out = io.StringIO()
    with Steps(out).step("node image") as step:
        step.done("built")
    first, last = out.getvalue().splitlines()
    assert first == "...  node image"
    assert last.startswith("ok   node image")
    assert last.endswith("0.0 s  built")


def test_details_in_a_log_are_rare_enough_to_read() -> None:
    out = io.StringIO()
    with Steps(out).step("engine") as step:
        for percent in range(100):
            step.say(f"{percent} %")
    assert out.getvalue().count("%") == 1


def test_a_terminal_gets_a_live_line_and_keeps_the_last_one() -> None:
    out = Terminal()
    steps = Steps(out)
    shown = threading.Event()
    with steps.step("engine") as step:
        step.say("fetching")
        shown.wait(0.05)
    assert "engine 0 s" in out.getvalue()
    assert out.getvalue().splitlines()[-1].endswith(" s")
    assert steps.finished[0][0] == "engine"


def test_a_failed_step_gives_its_reason_the_end_of_its_log_and_the_hint(tmp_path: Path) -> None:
    log = tmp_path / "build.log"
    log.write_text("\n".join(f"line {n}" for n in range(100)))
    out = io.StringIO()
    with pytest.raises(StepError) as caught, Steps(out).step("node image") as step:
        fail(step, log, UserError("no space left on /", hint="free 2 GiB"))
    text = str(caught.value)
    assert text.startswith("node image: no space left on /")
    assert f"last lines of {log}" in text
    assert "  | line 99" in text
    assert "line 10\n" not in text
    assert text.endswith("hint: free 2 GiB")
    assert "FAIL node image" in out.getvalue()


def test_a_failed_step_without_a_hint_says_that_running_again_is_safe() -> None:
    with pytest.raises(StepError, match="goes on from here"), Steps(io.StringIO()).step("x"):
        raise UserError("no network")


def test_a_missing_log_is_no_second_error(tmp_path: Path) -> None:
    with pytest.raises(StepError, match="no log: No such file"), Steps(io.StringIO()).step("x") as step:
        fail(step, tmp_path / "absent.log", UserError("did not start"))


def test_a_failure_inside_a_nested_step_is_told_once() -> None:
    steps = Steps(io.StringIO())
    with pytest.raises(StepError) as caught, steps.step("outer"), steps.step("inner"):
        raise UserError("reason")
    assert str(caught.value).startswith("inner: reason")


def test_a_bug_is_not_dressed_up_as_a_users_mistake() -> None:
    with pytest.raises(ZeroDivisionError), Steps(io.StringIO()).step("x"):
        raise ZeroDivisionError

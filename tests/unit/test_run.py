"""`ops.run` and `ops.errors`: what a failed command tells its reader."""

import subprocess
import sys
from pathlib import Path

import pytest

from ops.errors import UserError, reported
from ops.follow import attached, follow
from ops.run import CommandError, run
from tests.waiting import until

CHECKOUT = Path(__file__).resolve().parents[2]

pytestmark = pytest.mark.usefixtures("signals")


def test_a_result_holds_both_streams_and_the_status() -> None:
    result = run(["sh", "-c", "echo out; echo err >&2; exit 3"], check=False)
    assert (result.stdout, result.stderr, result.returncode, result.ok) == ("out\n", "err\n", 3, False)


def test_paths_are_words_and_input_is_handed_over() -> None:
    assert run([Path("/bin/cat")], input="hello").stdout == "hello"


def test_standard_input_is_empty_by_default_so_that_nothing_waits_for_a_terminal() -> None:
    assert run(["cat"]).stdout == ""


def test_env_is_added_to_the_environment_of_this_process() -> None:
    script = "import os; print(os.environ['SLIPWAY_TEST'], 'PATH' in os.environ)"
    assert run([sys.executable, "-c", script], env={"SLIPWAY_TEST": "yes"}).stdout.strip() == "yes True"


def test_an_error_has_the_command_to_paste_its_last_lines_and_the_hint() -> None:
    with pytest.raises(CommandError) as caught:
        run(["sh", "-c", "seq 1 50 >&2; exit 7"], hint="count less")
    text = str(caught.value)
    assert "exit status 7: sh -c 'seq 1 50 >&2; exit 7'" in text
    assert "  | 50" in text
    assert "  | 20\n" not in text, "only the last lines belong in an error"
    assert text.endswith("hint: count less")
    assert caught.value.result.returncode == 7


def test_an_error_shows_stdout_when_the_command_wrote_no_stderr() -> None:
    with pytest.raises(CommandError, match="said on stdout"):
        run(["sh", "-c", "echo said on stdout; exit 1"])


def test_a_missing_program_is_named() -> None:
    with pytest.raises(CommandError, match="no program slipway-no-such-program"):
        run(["slipway-no-such-program"])


def test_a_missing_folder_is_not_blamed_on_the_program(tmp_path: Path) -> None:
    with pytest.raises(CommandError, match="no such folder"):
        run(["true"], cwd=tmp_path / "absent")


def test_a_file_that_is_no_program_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "plain"
    file.write_text("text")
    with pytest.raises(CommandError, match="not allowed to run"):
        run([file])


def test_a_command_that_takes_too_long_is_ended_and_keeps_its_output() -> None:
    with pytest.raises(CommandError, match=r"no end after 0\.3 s") as caught:
        run(["sh", "-c", "echo begun; exec sleep 30"], timeout_seconds=0.3)
    assert caught.value.result.stdout == "begun\n"


def test_a_signal_is_called_a_signal() -> None:
    with pytest.raises(CommandError, match="ended by signal 9"):
        run(["sh", "-c", "kill -9 $$"])


def test_a_user_error_is_one_line_and_a_hint_and_status_1(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught, reported("slipway"):
        raise UserError("port 80: taken by nginx", hint="choose another with --port")
    assert caught.value.code == 1
    assert capsys.readouterr().err == "slipway: port 80: taken by nginx\n  hint: choose another with --port\n"


def test_a_bug_keeps_its_traceback() -> None:
    with pytest.raises(ZeroDivisionError), reported("slipway"):
        raise ZeroDivisionError


def test_an_interrupt_is_no_traceback(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught, reported("slipway"):
        raise KeyboardInterrupt
    assert caught.value.code == 130
    assert "run it again" in capsys.readouterr().err


def test_following_hands_on_each_line_and_keeps_the_log(tmp_path: Path) -> None:
    lines: list[str] = []
    follow(["sh", "-c", "echo one; echo two >&2"], lines.append, log=tmp_path / "logs" / "x.log")
    assert lines == ["one", "two"]
    assert (tmp_path / "logs" / "x.log").read_text() == "one\ntwo\n"


def test_a_followed_command_that_fails_shows_its_last_lines(tmp_path: Path) -> None:
    with pytest.raises(CommandError, match=r"(?s)exit status 4 \(all it said is in .*x\.log\).*\| why"):
        follow(["sh", "-c", "echo why; exit 4"], lambda _line: None, log=tmp_path / "x.log")


def test_a_followed_command_ends_with_the_one_who_follows_it(tmp_path: Path) -> None:
    def interrupt(_line: str) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        follow(["sh", "-c", f"echo x; sleep 5; touch {tmp_path}/late"], interrupt, log=tmp_path / "x.log")
    assert not (tmp_path / "late").exists()


def test_a_followed_command_is_asked_once_to_end_and_its_last_words_are_kept(tmp_path: Path) -> None:
    script = "trap 'echo asked; sleep 0.2; echo ended; exit 0' INT; echo begun; while :; do sleep 0.05; done"

    def interrupt(_line: str) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        follow(["sh", "-c", script], interrupt, log=tmp_path / "x.log")
    assert (tmp_path / "x.log").read_text() == "begun\nasked\nended\n"


def test_a_followed_command_that_takes_too_long_is_ended_with_its_children(tmp_path: Path) -> None:
    with pytest.raises(CommandError, match=r"no end after 0\.3 s"):
        follow(["sh", "-c", "sleep 30; echo late"], lambda _line: None, log=tmp_path / "x.log", timeout_seconds=0.3)


def test_an_attached_command_gives_its_status() -> None:
    assert attached(["sh", "-c", "exit $CODE"], env={"CODE": "9"}) == 9


def test_a_followed_command_is_interrupted_when_the_one_who_follows_it_is_killed(tmp_path: Path) -> None:
    command = f"trap 'touch {tmp_path}/asked; exit' INT; echo begun; while :; do sleep 0.05; done"
    call = f"follow(['sh', '-c', {command!r}], print, log=Path({str(tmp_path / 'x.log')!r}))"
    script = f"from pathlib import Path; from ops.follow import follow; {call}"
    with subprocess.Popen([sys.executable, "-uc", script], stdout=subprocess.PIPE, cwd=CHECKOUT) as follower:
        assert follower.stdout is not None
        assert follower.stdout.readline() == b"begun\n"
        follower.kill()
    until((tmp_path / "asked").exists, "the command is interrupted")

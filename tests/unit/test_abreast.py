"""Commands abreast: how many at once, what is shown of them, and how they end together."""

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Sequence
from pathlib import Path

import pytest

from ops import checks
from ops.abreast import Ended, Job, Running, abreast
from tests.waiting import until
from toolchain import host

CHECKOUT = Path(__file__).resolve().parents[2]
HERE = host.Host("Linux", "x86_64", frozenset({"debian"}), "Debian", root=True, sudo=False)


def sh(name: str, script: str) -> Job:
    return Job(name, ("sh", "-c", script))


def silent(_running: Sequence[Running]) -> None: ...


def ended(*jobs: Job, width: int) -> dict[str, Ended]:
    found: list[Ended] = []
    abreast(jobs, width, found.append, silent)
    assert len(found) == len(jobs)
    return {each.name: each for each in found}


def test_two_run_at_once_and_each_keeps_its_own_output_and_status(tmp_path: Path) -> None:
    meet = "mkfifo {0} 2>/dev/null; echo begins; echo {1} {2} {0}; echo {1} says it >&2; exit {3}"
    fifo = tmp_path / "meeting"
    one = sh("one", meet.format(fifo, "one", ">", 0))  # each waits at the pipe until the other has come
    two = sh("two", f"until [ -p {fifo} ]; do :; done; cat {fifo}; echo two says it; exit 3")
    found = ended(one, two, width=2)
    assert (found["one"].status, found["one"].output) == (0, "begins\none says it\n")
    assert (found["two"].status, found["two"].output) == (3, "one\ntwo says it\n")


def test_no_more_run_than_there_is_room_for_and_in_their_order(tmp_path: Path) -> None:
    script = f"echo $$ >> {tmp_path}/{{0}}; ls {tmp_path}; mv {tmp_path}/{{0}} {tmp_path}/{{0}}.done"
    found = ended(*(sh(name, script.format(name)) for name in "abc"), width=1)
    assert [each.output for each in found.values()] == ["a\n", "a.done\nb\n", "a.done\nb.done\nc\n"]


@pytest.mark.usefixtures("signals")
def test_an_interrupt_ends_all_in_order_and_begins_no_more(tmp_path: Path) -> None:
    script = f"trap 'echo cleared; exit 7' INT; touch {tmp_path}/{{0}}; while :; do sleep 0.05; done"
    jobs = [sh(name, script.format(name)) for name in ("one", "two", "three")]
    found: list[Ended] = []

    def interrupt() -> None:
        until(lambda: (tmp_path / "one").exists() and (tmp_path / "two").exists(), "both have begun")
        os.kill(os.getpid(), signal.SIGINT)

    thread = threading.Thread(target=interrupt)
    thread.start()
    with pytest.raises(KeyboardInterrupt):
        abreast(jobs, 2, found.append, silent)
    thread.join()
    assert {(each.name, each.status, each.output) for each in found} == {
        ("one", 7, "cleared\n"),
        ("two", 7, "cleared\n"),
    }


def test_what_is_shown_names_what_failed_and_keeps_the_order_of_the_tiers(capfd: pytest.CaptureFixture[str]) -> None:
    made = [
        checks.Check("ruff", ("sh", "-c", "echo a fault; exit 1")),
        checks.Check("tests/unit", ("sh", "-c", "echo 3 passed")),
        checks.Check("tests/machines", ("sh", "-c", "echo 2 passed"), root=True, alone=True),
    ]
    outcomes = checks.perform(made, HERE, 2)
    assert [(each.name, each.verdict) for each in outcomes] == [
        ("ruff", "FAILED (status 1)"),
        ("tests/unit", "ok"),
        ("tests/machines", "ok"),
    ]
    shown = capfd.readouterr().out
    assert "--- ruff: FAILED (status 1) after 0 s\na fault\n" in shown
    assert "--- tests/unit: ok after 0 s\n3 passed\n" in shown


def test_what_takes_longest_begins_first_and_what_needs_the_machine_for_itself_comes_last() -> None:
    made = sorted(checks.chosen([], CHECKOUT), key=checks.turn)
    names, alone = [check.name for check in made], ["tests/unit app", "tests/machines", "tests/machines stack"]
    assert [check.name for check in made if check.alone] == names[-len(alone) :] == alone
    assert names[:3] == ["tests/unit", "tests/moto", "ruff"]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_both_ways_to_end_make_test_end_what_it_runs(number: signal.Signals, tmp_path: Path) -> None:
    script = f"trap 'touch {tmp_path}/cleared; exit 7' INT; echo $$ > {tmp_path}/pid; while :; do sleep 0.05; done"
    code = (
        "import sys; from ops import checks; from pathlib import Path; "
        f"made = [checks.Check('ruff', ('sh', '-c', {script!r})), checks.Check('mypy', ('sleep', '600'))]; "
        "checks.chosen = lambda *_, **__: made; sys.argv = ['checks']; checks.main()"
    )
    process = subprocess.Popen([sys.executable, "-c", code], cwd=CHECKOUT, stdout=subprocess.PIPE, text=True)
    try:
        until((tmp_path / "pid").exists, "it has begun")
        process.send_signal(number)
        shown, _ = process.communicate(timeout=60)
    finally:
        process.kill()
    assert process.returncode == 130
    assert (tmp_path / "cleared").exists()
    assert "--- ruff: FAILED (status 7)" in shown

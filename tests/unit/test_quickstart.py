"""`ops.quickstart`, the Makefile and `ops.checks`: every verb is there, and says no in one line where it must."""

import re
import sys
from pathlib import Path

import pytest

from localcloud.state import State
from ops import checks, quickstart
from ops.errors import UserError
from ops.run import run
from toolchain import host, setup
from toolchain.pins import APT

CHECKOUT = Path(__file__).resolve().parents[2]
MAKEFILE = (CHECKOUT / "Makefile").read_text()


def test_make_help_is_the_default_and_lists_every_target() -> None:
    verbs = set(re.findall(r"^([a-z-]+):", MAKEFILE, re.MULTILINE))
    shown = run(["make", "--no-print-directory"], cwd=CHECKOUT).stdout
    assert verbs == {line.split()[1] for line in shown.splitlines()}


def test_every_target_calls_a_verb_that_exists() -> None:
    called = set(re.findall(r"\$\(SLIPWAY\) ([a-z-]+)", MAKEFILE))
    assert called == {*quickstart.LOCKED, *quickstart.PLAIN, *quickstart.WITH_WORDS}


def test_the_entry_imports_nothing_but_the_standard_library_and_itself() -> None:
    script = "import sys, ops.quickstart; print(*sorted({name.split('.')[0] for name in sys.modules}))"
    loaded = set(run([sys.executable, "-S", "-c", script], cwd=CHECKOUT).stdout.split())
    assert loaded <= {*sys.stdlib_module_names, "ops", "toolchain", "__main__"}, "a bare machine has nothing else"


def test_a_second_run_is_refused_with_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(quickstart, "SLIPWAY", tmp_path)

    def again() -> int:
        return quickstart.locked("down")

    monkeypatch.setitem(quickstart.LOCKED, "up", again)
    with pytest.raises(UserError, match=r"make down: another run has the lock .*make up, pid") as caught:
        quickstart.locked("up")
    assert "\n" not in caught.value.message


def test_an_address_is_refused_while_nothing_is_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(quickstart, "SLIPWAY", tmp_path)
    with pytest.raises(UserError, match="no local stack is up"):
        quickstart.PLAIN["url"]()


def test_without_root_and_sudo_up_is_refused_before_anything_is_done(monkeypatch: pytest.MonkeyPatch) -> None:
    nobody = host.Host("Linux", "x86_64", frozenset({"debian"}), "Debian", root=False, sudo=False)
    monkeypatch.setattr(host, "this_host", lambda: nobody)
    with pytest.raises(UserError, match="make up: neither root nor let in by sudo"):
        quickstart.up()


@pytest.fixture
def bare(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A checkout of somebody who is not root, where nothing has begun; to set anything up is an error."""
    nobody = host.Host("Linux", "x86_64", frozenset({"debian"}), "Debian", root=False, sudo=False)
    monkeypatch.setattr(host, "this_host", lambda: nobody)
    monkeypatch.setattr(setup, "setup", lambda *_, **__: pytest.fail("it sets something up"))
    monkeypatch.setattr(quickstart, "CHECKOUT", tmp_path)
    monkeypatch.setattr(quickstart, "SLIPWAY", tmp_path / ".slipway")
    monkeypatch.setattr(quickstart, "VENV_PYTHON", tmp_path / ".venv" / "bin" / "python")
    return tmp_path


def test_where_nothing_has_begun_down_and_clean_need_no_root_and_set_nothing_up(
    bare: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(UserError):
        quickstart.perform("up", [])
    assert quickstart.perform("down", []) == 0
    assert capsys.readouterr().err == "nothing is up\n"
    assert quickstart.perform("clean", []) == 0
    assert list(bare.iterdir()) == [], "what the refused `make up` had left is gone too"


def test_where_a_local_cloud_has_begun_down_needs_root(bare: Path) -> None:
    State(bare).create()
    assert (quickstart.SLIPWAY / quickstart.STATE).is_dir()
    with pytest.raises(UserError, match="make down: neither root nor let in by sudo"):
        quickstart.perform("down", [])


def test_a_user_whom_sudo_turns_away_is_refused_before_anything_is_done(monkeypatch: pytest.MonkeyPatch) -> None:
    user = host.Host("Linux", "x86_64", frozenset({"debian"}), "Debian", root=False, sudo=True)
    monkeypatch.setattr(host, "this_host", lambda: user)
    monkeypatch.setattr(quickstart, "attached", lambda argv: 1 if argv == ["sudo", "-v"] else 0)
    with pytest.raises(UserError, match="make up: sudo does not let this user in"):
        quickstart.up()


def test_bench_hands_its_options_on_and_asks_for_its_own_package_without_root(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked: dict[str, object] = {}
    ran: list[tuple[list[str], bool]] = []

    def set_up(_: object, **options: object) -> None:
        asked.update(options)

    def in_venv(module: list[str], *, root: bool) -> int:
        ran.append((module, root))
        return 0

    monkeypatch.setattr(setup, "setup", set_up)
    monkeypatch.setattr(quickstart, "in_venv", in_venv)
    monkeypatch.setattr(quickstart, "interruptible", lambda: None)
    monkeypatch.chdir(CHECKOUT)
    monkeypatch.setattr(sys, "argv", ["slipway", "bench", "--only", "flask", "--help"])
    with pytest.raises(SystemExit) as ended:
        quickstart.main()
    assert ended.value.code == 0
    assert ran == [(["tests.bench.serving", "--only", "flask", "--help"], False)]
    assert asked == {"machines": False, "more": APT.bench}
    assert not set(APT.bench) & {*APT.base, *APT.machines}, "no other verb needs it"


def test_work_done_as_root_has_the_tools_and_the_users_cache_whatever_sudo_makes_of_path(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    user = host.Host("Linux", "x86_64", frozenset({"debian"}), "Debian", root=False, sudo=True)
    commands: list[list[str]] = []
    monkeypatch.setenv("SLIPWAY_CACHE", str(tmp_path))
    monkeypatch.setattr(host, "this_host", lambda: user)
    monkeypatch.setattr("toolchain.setup.recorded", lambda: [Path("/cache/engine")])

    def attached(argv: list[str]) -> int:
        commands.append(argv)
        return 0

    monkeypatch.setattr(quickstart, "attached", attached)
    quickstart.in_venv(["ops.bringup"], root=True)
    sudo, keep, env, path, *_ = commands[0]
    assert (sudo, env) == ("sudo", "env")
    assert "SLIPWAY_CACHE" in keep
    assert path.startswith("PATH=/cache/engine:")
    assert path.endswith(":/usr/local/sbin:/usr/sbin:/sbin"), "nft and chroot, where the user has them not"


def test_the_machines_tier_is_skipped_loudly_where_it_cannot_run(capfd: pytest.CaptureFixture[str]) -> None:
    nobody = host.Host("Linux", "x86_64", frozenset({"debian"}), "Debian", root=False, sudo=False)
    outcomes = checks.perform(checks.tier("machines", CHECKOUT), nobody, 2)
    assert {outcome.verdict for outcome in outcomes} == {"SKIPPED"}
    lines = capfd.readouterr().out.strip().splitlines()
    assert len(lines) == 1
    assert "SKIPPED tests/machines: neither root nor let in by sudo" in lines[0]


def test_the_linters_and_all_four_tiers_run_when_none_is_named() -> None:
    names = [check.name for check in checks.chosen([], CHECKOUT)]
    assert names[0] == "ruff"
    tiers = [name for name in names if name.startswith("tests/")]
    assert {name.split()[0] for name in tiers} == {f"tests/{tier}" for tier in checks.TIERS}
    assert [name for name in tiers if " " in name] == ["tests/unit app", "tests/machines stack"]


def test_both_halves_of_the_machines_together_hold_every_test_of_theirs_once() -> None:
    files = [word for check in checks.tier("machines", CHECKOUT) for word in check.argv if word.endswith(".py")]
    folder = CHECKOUT / "tests" / "machines"
    assert sorted(files) == sorted(str(file.relative_to(CHECKOUT)) for file in folder.glob("test_*.py"))


@pytest.mark.parametrize(
    ("line", "shell"),
    [
        ("#!/bin/sh\n", True),
        ("#!/usr/bin/env bash\n", True),
        ("#!/bin/sh -eu\n", True),
        ("#!/usr/bin/python3\n", False),
        ("", False),
    ],
)
def test_a_shell_script_is_known_by_its_first_line(line: str, shell: bool) -> None:
    assert checks.is_shell(line) is shell

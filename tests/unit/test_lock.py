"""`ops.lock`: one run at a time, and a refusal that names the other."""

import os
from pathlib import Path

import pytest

from ops.errors import UserError
from ops.lock import exclusive


def test_a_second_run_is_refused_with_one_line_that_names_the_first(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    with exclusive(path, "make up"), pytest.raises(UserError) as caught, exclusive(path, "make down"):
        pass
    assert "\n" not in caught.value.message
    assert f"make up, pid {os.getpid()}" in caught.value.message


def test_the_lock_is_free_after_its_run(tmp_path: Path) -> None:
    for _ in range(2):
        with exclusive(tmp_path / "deep" / "lock", "make up"):
            pass


def test_the_lock_is_free_after_a_failed_run(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    with pytest.raises(ZeroDivisionError), exclusive(path, "make up"):
        raise ZeroDivisionError
    with exclusive(path, "make up"):
        pass


def test_a_run_may_wait_and_says_for_whom(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "lock"
    said: list[str] = []
    first = exclusive(path, "toolchain")
    first.__enter__()
    monkeypatch.setattr("ops.lock.time.sleep", lambda _seconds: first.__exit__(None, None, None))
    with exclusive(path, "toolchain", waiting=said.append):
        pass
    assert len(said) == 1
    assert "toolchain, pid" in said[0]

"""What a killed `pulumi` leaves is found and ended; what belongs to anybody else is not."""

import os
import subprocess
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from localcloud import orphans
from localcloud.state import State

Start = Callable[..., int]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Starts a shell called `name`, which runs the words as its child, with that Pulumi home. Returns its pid."""
    with ExitStack() as stack:

        def started(name: str, home: Path) -> int:
            program = tmp_path / name
            program.write_text("#!/bin/sh\necho up\nread -r _\n")
            program.chmod(0o755)
            process = stack.enter_context(
                subprocess.Popen(
                    [program],
                    env={**os.environ, "PULUMI_HOME": str(home)},
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                )
            )
            stack.callback(process.kill)
            assert process.stdout is not None
            assert process.stdout.readline() == b"up\n"
            return process.pid

        yield started


def test_plugins_without_an_engine_are_found_and_ended(start: Start, tmp_path: Path) -> None:
    state = State(tmp_path)
    home = state.slipway / "pulumi-home"
    ours = {start(name, home) for name in ("pulumi-language-python-exec", "pulumi-resource-aws")}
    assert orphans.orphans(state) == ours
    orphans.end(state)
    assert orphans.orphans(state) == set()


def test_other_programs_and_other_stacks_are_left_alone(start: Start, tmp_path: Path) -> None:
    state = State(tmp_path)
    start("an-editor", state.slipway / "pulumi-home")
    start("pulumi-resource-aws", tmp_path / "another" / ".slipway" / "pulumi-home")
    start("pulumi-resource-gcp", state.slipway / "pulumi-home-of-old")
    assert orphans.orphans(state) == set()


def test_plugins_of_an_engine_that_runs_are_at_work(
    start: Start, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    state = State(tmp_path)
    start("pulumi-resource-aws", state.slipway / "pulumi-home")
    monkeypatch.setattr(orphans, "ENGINE", Path(f"/proc/{os.getpid()}/comm").read_text().strip())
    assert orphans.orphans(state) == set()

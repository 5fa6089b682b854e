"""`ops.stack`: what is made of the engine's output, and of what it leaves when it is killed."""

import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from localcloud.state import State
from ops import stack
from ops.errors import UserError
from ops.run import CommandError, Result

LINES = """\
Updating (local):

@ Updating....
 +  pulumi:pulumi:Stack slipway-local creating (0s)
 +  aws:ec2/vpc:Vpc local-network-vpc creating (0s)
 +  aws:ec2/vpc:Vpc local-network-vpc created (0.31s)
 ++ aws:ec2/instance:Instance node created replacement (4s)
    pulumi:pulumi:Stack slipway-local
Outputs:
    url: "http://localhost:8080"
"""


def failed(text: str) -> UserError:
    return stack.explained(CommandError(["/cache/pulumi", "up"], Result(text, "", 255), "exit status 255"))


def test_progress_counts_what_is_done_and_names_what_is_under_way() -> None:
    said: list[str] = []
    watch = stack.watcher(said.append)
    for line in LINES.splitlines():
        watch(line)
    assert said == [
        "0 done; Stack slipway-local creating (0s)",
        "0 done; Vpc local-network-vpc creating (0s)",
        "1 done; Vpc local-network-vpc created (0.31s)",
        "2 done; Instance node created replacement (4s)",
    ]


def test_a_wrong_passphrase_is_one_line_with_the_way_out() -> None:
    error = failed("error: getting stack configuration: get stack secrets manager: incorrect passphrase\n")
    assert error.message == "wrong passphrase for the stack's secrets"
    assert "git checkout Pulumi.local.yaml" in error.hint


def test_a_missing_passphrase_names_the_file_to_source() -> None:
    assert ". .slipway/env" in failed("error: passphrase must be set with PULUMI_CONFIG_PASSPHRASE or …").hint


def test_a_failed_operation_gives_the_engines_errors_once() -> None:
    progress = " +  aws:ec2:Vpc x creating (0s) error: no such zone\n"
    end = "error: an unhandled error occurred: program exited with non-zero exit code: 1\n"
    error = failed(f"{progress}Diagnostics:\n  error: no such zone\n  error: no such zone\n  info: x\n  {end}")
    assert error.message == "pulumi up failed: no such zone"


def test_settings_that_cannot_be_used_are_listed_with_the_file_to_correct() -> None:
    text = """Diagnostics:
  pulumi:pulumi:Stack (slipway-local):
    warning: using pulumi-resource-aws from $PATH
    error: the stack's settings cannot be used, and nothing was changed:
      slipway:allowedCidrs is not set: it is required.
      slipway:fleet.desired is 'two': it is not a whole number.
    error: an unhandled error occurred: program exited with non-zero exit code: 1

Resources:
    1 errored
"""
    error = failed(text)
    assert error.message.splitlines() == [
        "the stack's settings cannot be used, and nothing was changed:",
        "  slipway:allowedCidrs is not set: it is required.",
        "  slipway:fleet.desired is 'two': it is not a whole number.",
    ]
    assert "Pulumi.local.yaml" in error.hint


@pytest.fixture
def lock(tmp_path: Path) -> Path:
    """The lock file of an operation on the stack in `tmp_path`."""
    file = State(tmp_path).pulumi / ".pulumi" / "locks" / "organization" / "slipway" / "local" / "x.json"
    file.parent.mkdir(parents=True)
    return file


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A process that is called as the engine is."""
    program = tmp_path / "pulumi"
    shutil.copy("/bin/sleep", program)
    with subprocess.Popen([program, "600"]) as process:
        yield process
        process.kill()


def test_the_lock_of_a_dead_operation_is_removed(lock: Path, tmp_path: Path) -> None:
    for pid in (2**22 + 1, os.getpid()):  # a process that has the number now is no engine
        lock.write_text(json.dumps({"pid": pid}))
        stack.Stack(State(tmp_path)).unlock(print)
        assert not lock.exists()


def test_the_lock_of_a_living_operation_is_respected(
    lock: Path, tmp_path: Path, engine: subprocess.Popen[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stack, "ENDING_SECONDS", 0)
    lock.write_text(json.dumps({"pid": engine.pid}))
    said: list[str] = []
    with pytest.raises(UserError, match=f"pid {engine.pid}"):
        stack.Stack(State(tmp_path)).unlock(said.append)
    assert lock.exists()
    assert len(said) == 1


def test_an_operation_that_ends_is_waited_for(lock: Path, tmp_path: Path, engine: subprocess.Popen[bytes]) -> None:
    lock.write_text(json.dumps({"pid": engine.pid}))
    stack.Stack(State(tmp_path)).unlock(lambda _text: engine.kill())
    assert not lock.exists()


def test_addresses_have_the_port_that_is_really_published() -> None:
    ports = {"8080": 8082}
    assert stack.published("http://localhost:8080", ports) == "http://localhost:8082"
    assert stack.published("http://localhost:5000", ports) == "http://localhost:5000"
    assert stack.published("https://models.example.com", ports) == "https://models.example.com"
    assert stack.published(None, ports) is None

"""Outages on purpose, what is left over, and how errors read in the status."""

import re
from pathlib import Path

import pytest
from click.testing import CliRunner

from localcloud import cleanup, control, doctor, fault, uplink
from localcloud.cli import main
from localcloud.logs import describe
from localcloud.state import Running, State
from ops.errors import UserError

SIGNED = "AWS4-HMAC-SHA256 Credential=AKIASLIPWAYLOCAL0000/20260101/us-east-1/s3/aws4_request, SignedHeaders=host"
PRESIGNED = "X-Amz-Credential=AKIASLIPWAYLOCAL0000%2F20260101%2Fus-east-1%2Fsecretsmanager%2Faws4_request&X-Amz-Date=x"


def test_a_request_is_for_the_service_that_its_signature_names() -> None:
    assert fault.service({"HTTP_AUTHORIZATION": SIGNED}) == "s3"
    assert fault.service({"QUERY_STRING": f"X-Amz-{PRESIGNED}"}) == "secretsmanager"
    assert fault.service({}) == ""


def test_only_the_service_that_is_down_is_refused(tmp_path: Path) -> None:
    state = State(tmp_path)
    state.create()
    fault.switch(state, "s3", down=True)
    assert fault.refused(state, {"HTTP_AUTHORIZATION": SIGNED})
    assert not fault.refused(state, {"HTTP_AUTHORIZATION": SIGNED.replace("/s3/", "/ssm/")})
    fault.switch(state, "s3", down=False)
    assert not fault.refused(state, {"HTTP_AUTHORIZATION": SIGNED})


def test_disks_databases_and_pulumi_state_of_a_dead_cloud_are_found_and_removed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(uplink, "exists", lambda _name: False)
    state = State(tmp_path)
    state.create()
    (state.machine("i-1") / "upper").mkdir(parents=True)
    (state.machine("i-2")).mkdir(parents=True)
    state.database("tracking").mkdir(parents=True)
    (state.pulumi / ".pulumi" / "stacks" / "slipway").mkdir(parents=True)
    (state.pulumi / ".pulumi" / "stacks" / "slipway" / "local.json").write_text("{}")
    said: list[str] = []
    cleanup.clean(state, said.append)
    assert said == [
        "removed disks of 1 machines",
        "removed files of 1 databases",
        "removed the local stack's Pulumi state (its cloud is gone)",
    ], "a machine that is gone leaves its console, which is no news"
    assert not state.pulumi.exists()
    assert not cleanup.leftovers(state)


def test_an_error_of_many_parts_is_one_line() -> None:
    group = ExceptionGroup("machines", [OSError("no space\nmore"), UserError("bad", "do this")])
    assert describe(group) == "OSError: no space; UserError: bad"


def test_every_verb_has_help() -> None:
    for verb in ("start", "stop", "status", "doctor", "console", "shell", "url", "fault"):
        result = CliRunner().invoke(main, [verb, "--help"])
        assert result.exit_code == 0
        assert re.search(r"\n\n  [A-Z][^.]*\.", result.output), f"{verb} says what it does"


def test_a_check_that_fails_keeps_the_cloud_from_starting_and_says_the_remedy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = doctor.Check("overlayfs", "unknown filesystem type", "modprobe overlay")
    monkeypatch.setattr(doctor, "checks", lambda _state: [broken])
    with pytest.raises(UserError, match="overlayfs: unknown filesystem type") as caught:
        doctor.require(State(tmp_path))
    assert caught.value.hint == "modprobe overlay"


def test_a_warning_does_not(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tight = doctor.Check("memory", "3.0 GiB", "a smaller fleet", fatal=False)
    monkeypatch.setattr(doctor, "checks", lambda _state: [tight])
    doctor.require(State(tmp_path))


def test_an_interrupted_start_leaves_no_daemon_and_a_killed_one_leaves_its_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    state = State(tmp_path)
    state.create()
    seen: list[Running] = []
    sleeper = ["/bin/sleep", "600"]

    def interrupted(_process: object, state: State) -> None:
        found = state.read()
        assert found is not None, "whoever comes after a start that was killed finds it"
        assert (found.alive, found.ready) == (True, False)
        seen.append(found)
        raise KeyboardInterrupt

    monkeypatch.setattr(control, "DAEMON", sleeper)
    monkeypatch.setattr(control, "_ready", interrupted)
    monkeypatch.setattr(cleanup, "clean", lambda _state, _say: None)
    with pytest.raises(KeyboardInterrupt):
        control._launch(state, print)
    assert not seen[0].alive
    assert state.read() is None

"""The sandbox's two ends: what asks, and what systemd starts for it."""

import socket
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from contract.node_files import CLOUD_INIT, node_files
from ops import sandbox
from ops.run import CommandError

SCRIPT = CLOUD_INIT / "bin" / "slipway-sandbox"


@pytest.fixture
def path(tmp_path: Path) -> Iterator[str]:
    """A socket that starts the shipped script for each connection, as systemd's Accept=yes does."""
    place = tmp_path / "sandbox.sock"
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(place))
        listening.listen()

        def serve() -> None:
            while True:
                try:
                    connection, _ = listening.accept()
                except OSError:
                    return
                with connection:
                    subprocess.run(
                        ["/usr/bin/python3", str(SCRIPT)],
                        stdin=connection.fileno(),
                        stdout=connection.fileno(),
                        check=False,
                    )

        threading.Thread(target=serve, daemon=True).start()
        yield str(place)
        listening.shutdown(socket.SHUT_RDWR)


def test_python_is_run_with_its_arguments_environment_and_input(path: str) -> None:
    script = "import os, sys; print(sys.argv[1], os.environ['WORD'], sys.stdin.read())"
    result = sandbox.run(["-c", script, "ä"], {"WORD": "b"}, "c", "", path=path)
    assert (result.stdout, result.returncode) == ("ä b c\n", 0)


def test_nothing_of_the_askers_environment_comes_along(path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_PASSWORD", "secret")
    result = sandbox.run(["-c", "import os; print(sorted(os.environ))"], {}, None, "", path=path)
    assert "MLFLOW" not in result.stdout


def test_what_fails_there_fails_here_with_what_it_said(path: str) -> None:
    with pytest.raises(CommandError) as caught:
        sandbox.run(["-c", "raise SystemExit('the model does not load')"], {}, None, "a hint", path=path)
    assert "the model does not load" in caught.value.message
    assert caught.value.hint == "a hint"


def test_without_a_sandbox_nothing_is_run(tmp_path: Path) -> None:
    with pytest.raises(CommandError, match="gives no answer"):
        sandbox.run(["-c", "print(1)"], {}, None, "", path=str(tmp_path / "nowhere"))


def test_the_code_of_a_model_is_as_confined_there_as_in_the_server() -> None:
    """Every wall of the server's unit, but for what the server writes and for who it is."""
    serving = {file.path: file.content for file in node_files("serving")}
    tracking = {file.path: file.content for file in node_files("tracking")}
    server = walls(serving["/etc/systemd/system/model-server@.service"])
    sandboxed = walls(tracking["/etc/systemd/system/slipway-sandbox@.service"])
    assert server - sandboxed <= {"RemoveIPC=yes", "SystemCallFilter=chown"}, "DynamicUser implies the first"
    assert "DynamicUser=yes" in tracking["/etc/systemd/system/slipway-sandbox@.service"]


def walls(unit: str) -> set[str]:
    names = (
        "Private",
        "Protect",
        "Restrict",
        "NoNew",
        "Capability",
        "Ambient",
        "Lock",
        "IPAddress",
        "System",
        "Remove",
    )
    return {line for line in unit.splitlines() if line.startswith((*names, "KeyringMode", "DevicePolicy"))}

"""What containers of jobs are told, how they are asked for their health, and Nginx with and without them."""

import http.server
import json
import os
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from compose import healthy, jobs, prepare, secrets
from jobs import config
from ops.errors import UserError
from tests.unit.test_nginx import needs_nginx, served
from tests.unit.test_nginx_jobs import LATER, Scene, behind

PASSWORDS = {"broker_password": "of the/broker", "jobs_database_password": "of:the database"}


@pytest.fixture(autouse=True)
def told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "secrets").mkdir()
    for name, password in PASSWORDS.items():
        (tmp_path / "secrets" / name).write_text(password)
    monkeypatch.setattr(secrets.read, "__defaults__", (tmp_path / "secrets",))
    for name in [name for name in os.environ if name.startswith("SLIPWAY_JOBS_")]:
        monkeypatch.delenv(name)


def test_the_programs_read_what_was_written_and_only_their_user_can(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SLIPWAY_JOBS_RETENTION_HOURS", "2")
    monkeypatch.setenv("SLIPWAY_JOBS_MIB", "3")
    jobs.write(tmp_path)
    found = config.read(tmp_path / "jobs.json")
    assert found.broker_url == "amqps://slipway-jobs:of%20the%2Fbroker@broker:5671/slipway"
    assert (found.limits.retention_hours, found.limits.attempts) == (2, 5)
    assert (found.folder, found.folder_bytes) == (Path("/srv/slipway-jobs"), 3 << 20)
    assert "sslmode=verify-full" in found.conninfo
    assert (tmp_path / "jobs.pgpass").read_text() == "database:5432:jobs:slipway_jobs:of\\:the database\n"
    assert {(tmp_path / name).stat().st_mode & 0o777 for name in ("jobs.json", "jobs.pgpass")} == {0o600}


@pytest.mark.parametrize("given", ["0", "-1", "many", "1.5"])
def test_a_setting_that_is_no_number_is_one_clear_line(given: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SLIPWAY_JOBS_QUEUE", given)
    with pytest.raises(UserError, match=f"SLIPWAY_JOBS_QUEUE is '{given}', which is no number of at least 1"):
        jobs.configuration()


def test_no_secret_is_on_a_command_line() -> None:
    words = " ".join([*jobs.argv("accept"), *jobs.argv("work")])
    assert not [password for password in PASSWORDS.values() if password in words]
    assert f"--pid {jobs.ON}" in words


@pytest.fixture
def listening(tmp_path: Path) -> Iterator[tuple[Path, list[int]]]:
    """A server at a Unix socket that answers the last of the statuses."""
    statuses = [200]

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(statuses[-1])
            self.end_headers()

        def address_string(self) -> str:
            return "unix"

    class Server(http.server.HTTPServer):
        address_family = socket.AF_UNIX

        def server_bind(self) -> None:
            self.socket.bind(str(self.server_address))

    with Server(str(tmp_path / "sock"), Handler) as server:  # type: ignore[arg-type]
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        yield tmp_path / "sock", statuses
        server.shutdown()
        thread.join()


def test_who_accepts_is_well_when_it_says_so_at_its_socket(listening: tuple[Path, list[int]]) -> None:
    place, statuses = listening
    healthy.main(f"http+unix:{place}:/jobs/health")
    statuses.append(503)
    with pytest.raises(SystemExit, match="it answers 503"):
        healthy.main(f"http+unix:{place}:/jobs/health")
    with pytest.raises(SystemExit, match="No such file"):
        healthy.main(f"http+unix:{place}.not:/jobs/health")


def test_a_worker_is_well_while_it_is_connected_to_the_broker() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        with pytest.raises(ConnectionError):
            healthy.require_connection(port)
        with socket.create_connection(("127.0.0.1", port)):
            healthy.require_connection(port)


def containers(folder: Path) -> None:
    """The files of a server container over those of a node."""
    for name, (text, _) in prepare.files("a" * 64).items():
        if name.startswith("nginx/slipway/enabled/"):
            place = folder / "etc" / name
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_text(text.replace("/run/slipway", f"{folder}/run/slipway"))


@needs_nginx
def test_nginx_serves_jobs_as_long_as_somebody_accepts_them_and_needs_no_reload(tmp_path: Path) -> None:
    containers(tmp_path)
    run = tmp_path / "run"
    with behind("model", run / "slipway/current.sock") as model:
        for address in served(tmp_path):
            there = Scene(address, model, model)
            assert {there.who(line, headers) for line, headers in LATER} == {"model"}, "which says that there are none"
            status, head, said = there.ask("GET /jobs/1")
            assert (status, said) == (404, json.loads(prepare.OFF))
            assert "Content-Type: application/json" in head
            with behind("accept", run / "slipway-jobs/accept.sock") as accept:
                (run / "slipway-jobs/accept.pid").touch()
                now = Scene(address, model, accept)
                assert {now.who(line, headers) for line, headers in [*LATER, ("GET /jobs/1", "")]} == {"accept"}
                assert now.who("POST /predict") == "model"
            (run / "slipway-jobs/accept.sock").unlink()
            assert there.ask("POST /predict?async=true", body="[1]")[0] == 503, "it was killed, and comes again"

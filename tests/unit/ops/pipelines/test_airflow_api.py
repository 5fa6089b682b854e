"""What is asked of Airflow, of a server that answers as Airflow 3 does."""

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from ops.pipelines.airflow import Airflow, NotAcceptedError

HEALTHY = {name: {"status": "healthy"} for name in ("metadatabase", "scheduler", "dag_processor")}


class Server(ThreadingHTTPServer):
    """`tokens` that it takes, `runs` that it has, and `health` that it tells."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.tokens: list[str] = []
        self.runs: list[tuple[str, str]] = []
        self.logins = 0
        self.health: dict[str, Any] = {**HEALTHY, "triggerer": {"status": None}}


class Handler(BaseHTTPRequestHandler):
    server: Server

    def log_message(self, *_: object) -> None:
        pass

    def answer(self, status: int, body: object) -> None:
        self.send_response(status)
        self.end_headers()
        self.wfile.write(json.dumps(body).encode())

    def do_GET(self) -> None:
        assert self.path == "/api/v2/monitor/health"
        self.answer(200, self.server.health)

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if self.path == "/auth/token":
            self.server.logins += 1
            if body != {"username": "admin", "password": "p"}:
                return self.answer(401, {"detail": "Invalid credentials"})
            self.server.tokens.append(f"token-{self.server.logins}")
            return self.answer(201, {"access_token": self.server.tokens[-1]})
        if self.headers.get("Authorization", "").removeprefix("Bearer ") not in self.server.tokens:
            return self.answer(401, {"detail": "Not authenticated"})
        dag = self.path.split("/")[4]
        if dag != "diabetes":
            return self.answer(404, {"detail": f"Dag with dag_id: '{dag}' not found"})
        run = (dag, body["dag_run_id"])
        if run in self.server.runs:
            return self.answer(409, {"detail": "it exists"})
        assert body["logical_date"] is None
        self.server.runs.append(run)
        return self.answer(200, body)


@pytest.fixture
def server() -> Iterator[Server]:
    with Server() as found:
        thread = threading.Thread(target=found.serve_forever)
        thread.start()
        yield found
        found.shutdown()
        thread.join()


@pytest.fixture
def airflow(server: Server, tmp_path: Path) -> Airflow:
    users = tmp_path / "users.json"
    users.write_text('{"admin": "p"}')
    return Airflow(f"http://127.0.0.1:{server.server_port}", users)


def test_a_run_is_begun_once_however_often_it_is_asked_for(airflow: Airflow, server: Server) -> None:
    assert airflow.begin("diabetes", "rows-1", "new rows")
    assert airflow.begin("diabetes", "rows-1", "new rows") is False
    assert server.runs == [("diabetes", "rows-1")]
    assert server.logins == 1, "a login lasts"


def test_a_login_that_has_run_out_is_renewed(airflow: Airflow, server: Server) -> None:
    airflow.begin("diabetes", "rows-1", "new rows")
    server.tokens.clear()
    assert airflow.begin("diabetes", "rows-2", "new rows")
    assert server.logins == 2


def test_what_airflow_does_not_take_is_told_in_its_words(airflow: Airflow) -> None:
    with pytest.raises(NotAcceptedError, match=r"does not take run rows-1 of other: 404 .*not found"):
        airflow.begin("other", "rows-1", "new rows")
    airflow.users.write_text('{"admin": "another"}')
    airflow._token = ""
    with pytest.raises(NotAcceptedError, match="refuses the login of admin: 401"):
        airflow.begin("diabetes", "rows-1", "new rows")


def test_an_airflow_that_is_away_is_no_answer(tmp_path: Path) -> None:
    with pytest.raises(NotAcceptedError, match="Airflow does not answer"):
        Airflow("http://127.0.0.1:9", tmp_path / "users.json").unwell()


def test_it_is_well_when_each_of_its_parts_says_so(airflow: Airflow, server: Server) -> None:
    assert airflow.unwell() == ""
    server.health = {**HEALTHY, "scheduler": {"status": "unhealthy"}, "dag_processor": {"status": None}}
    assert airflow.unwell() == "scheduler unhealthy, dag_processor silent"

"""Which requests become jobs: the shipped configuration under the real Nginx, with somebody behind each socket."""

import json
import socketserver
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import pytest

import contract
from tests.unit.test_nginx import asked, needs_nginx, nginx, rendered, served


class Answerer(BaseHTTPRequestHandler):
    """Says who was asked, and for what."""

    protocol_version = "HTTP/1.1"

    def do(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        said = {"who": self.server.who, "asked": self.requestline.rpartition(" ")[0], "body": body.decode()}  # type: ignore[attr-defined]
        self.server.count += 1  # type: ignore[attr-defined]
        if "?fail" in self.path:
            self.close_connection = True
            return
        text = json.dumps(said).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    do_GET = do_POST = do_DELETE = do  # noqa: N815  (named so by http.server)

    def address_string(self) -> str:
        return "nginx"

    def log_message(self, *_: Any) -> None:
        """Nothing."""


class Behind(socketserver.ThreadingUnixStreamServer):
    def __init__(self, who: str, place: Path) -> None:
        place.parent.mkdir(parents=True, exist_ok=True)
        super().__init__(str(place), Answerer)
        self.who, self.count = who, 0


@contextmanager
def behind(who: str, place: Path) -> Iterator[Behind]:
    with Behind(who, place) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join(10)


@dataclass
class Scene:
    address: Path
    model: Behind
    accept: Behind

    def ask(self, request: str, headers: str = "", body: str = "") -> tuple[int, str, Any]:
        head = f"{request} HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: {len(body)}\r\n{headers}\r\n"
        head, _, text = asked(self.address, head + body).partition("\r\n\r\n")
        return int(head.split()[1]), head, json.loads(text)

    def who(self, request: str, headers: str = "") -> str:
        status, _, said = self.ask(request, headers, "[1]")
        assert status == 200, said
        assert (said["asked"], said["body"]) == (request, "[1]"), "as it came"
        return str(said["who"])


def linked(folder: Path) -> None:
    """As slipway-boot-jobs links it."""
    enabled = folder / "etc/nginx/slipway/enabled"
    enabled.mkdir(parents=True)
    (enabled / "jobs").symlink_to("../jobs")


@pytest.fixture
def scene(tmp_path: Path) -> Iterator[Scene]:
    linked(tmp_path)
    current, accept = tmp_path / "run/slipway/current.sock", tmp_path / "run/slipway-jobs/accept.sock"
    with behind("model", current) as model, behind("accept", accept) as accepting:
        for address in served(tmp_path):
            yield Scene(address, model, accepting)


LATER = [
    ("POST /predict?async=true", ""),
    ("POST /predict/iris?a=b&async=true", ""),
    ("POST /v2/models/iris/infer?async=true", ""),
    ("POST /v2/models/iris/versions/3/infer?async=true", ""),
    ("POST /invocations?async=true", ""),
    ("POST /models/iris/invocations?async=true", ""),
    ("POST /predict", "Prefer: respond-async\r\n"),
    ("POST /predict", "Prefer: wait=10, Respond-Async\r\n"),
    ("POST /predict?async=true", "Prefer: respond-async;wait=5\r\n"),
]
NOW = [
    ("POST /predict", ""),
    ("POST /predict?async=false", ""),
    ("POST /predict?asynchronous=true", ""),
    ("POST /predict", "Prefer: wait=10\r\n"),
    ("POST /predict", "Prefer: respond-asynchronously\r\n"),
    ("GET /predict?async=true", ""),
    ("POST /predictions?async=true", ""),
    ("POST /v2/repository/index?async=true", ""),
    ("GET /version?async=true", ""),
    ("GET /jobs", ""),
]


@needs_nginx
@pytest.mark.parametrize(("request_line", "headers"), LATER)
def test_what_asks_for_an_answer_later_is_accepted_as_a_job(scene: Scene, request_line: str, headers: str) -> None:
    assert scene.who(request_line, headers) == "accept"
    assert scene.model.count == 0


@needs_nginx
@pytest.mark.parametrize(("request_line", "headers"), NOW)
def test_everything_else_reaches_the_model_server_as_ever(scene: Scene, request_line: str, headers: str) -> None:
    assert scene.who(request_line, headers) == "model"
    assert scene.accept.count == 0


@needs_nginx
@pytest.mark.parametrize("request_line", ["GET /jobs/1", "GET /jobs/1/result", "DELETE /jobs/1"])
def test_a_jobs_own_address_is_who_accepted_it(scene: Scene, request_line: str) -> None:
    assert scene.who(request_line) == "accept"


@needs_nginx
@pytest.mark.parametrize("path", ["/jobs/health", "/jobs/../jobs/health", "/jobs/%68ealth", "/jobs//health"])
def test_how_jobs_are_is_for_the_node_alone(scene: Scene, path: str) -> None:
    status, _, said = scene.ask(f"GET {path}")
    assert (status, said["error"]) == (404, "there is nothing at this path")
    assert scene.accept.count == 0


@needs_nginx
def test_a_job_is_never_sent_twice(scene: Scene) -> None:
    """Where a prediction that fails is sent again, for it changes nothing."""
    for path in ("/predict?fail&async=true", "/jobs/1?fail"):
        scene.accept.count = 0
        assert scene.ask(f"POST {path}", body="[1]")[0] == 503
        assert scene.accept.count == 1, path
    assert scene.model.count == 0


@needs_nginx
@pytest.mark.parametrize("request_line", ["POST /predict?async=true", "GET /jobs/1"])
def test_a_node_that_cannot_accept_says_so_and_when_to_come_again(tmp_path: Path, request_line: str) -> None:
    linked(tmp_path)
    with behind("model", tmp_path / "run/slipway/current.sock") as model:
        for address in served(tmp_path):
            status, head, said = Scene(address, model, model).ask(request_line, "X-Request-Id: mine-1\r\n")
    assert status == 503
    assert "Retry-After: 5" in head
    assert "X-Request-Id: mine-1" in head
    assert "Content-Type: application/json" in head
    assert said == {"error": "this node takes no asynchronous predictions now", "request_id": "mine-1"}
    assert model.count == 0, "it is not answered synchronously instead"


@needs_nginx
@pytest.mark.parametrize("path", ["/predict?async=true", "/jobs/1"])
def test_a_job_that_is_too_large_is_refused_before_anybody_reads_it(scene: Scene, path: str) -> None:
    head = f"POST {path} HTTP/1.1\r\nHost: a\r\nContent-Length: {contract.HTTP.body_bytes + 1}\r\n"
    answer = asked(scene.address, f"{head}Connection: close\r\n\r\n")
    assert answer.startswith("HTTP/1.1 413")
    assert "the body is larger than" in json.dumps(json.loads(answer.partition("\r\n\r\n")[2]))
    assert scene.accept.count == 0


@needs_nginx
def test_without_jobs_nginx_reads_not_one_line_of_them(tmp_path: Path) -> None:
    assert nginx
    program: str = nginx

    def read() -> str:
        done = subprocess.run([program, "-T", "-c", main], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout

    main = str(rendered(tmp_path))
    assert "slipway_accept" not in read()
    linked(tmp_path)
    assert "slipway_accept" in read()


@needs_nginx
def test_without_jobs_every_request_is_the_model_servers(tmp_path: Path) -> None:
    """It is the one that says that there are none."""
    with behind("model", tmp_path / "run/slipway/current.sock") as model:
        for address in served(tmp_path):
            there = Scene(address, model, model)
            assert {there.who(line, headers) for line, headers in [*LATER, ("GET /jobs/1", "")]} == {"model"}

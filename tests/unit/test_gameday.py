"""The game day's load counts every request, whatever becomes of it, and its table judges what was counted."""

import http.server
import json
import shutil
import socket
import threading
from collections.abc import Iterator
from typing import ClassVar

import pytest

from tests.gameday import load, play
from tests.gameday.day import Day
from tests.gameday.figures import REFUSED, figures
from tests.gameday.load import Load, Sample
from tests.gameday.play import Verdict
from tests.gameday.rows import Row

needs_wrk = pytest.mark.skipif(not shutil.which("wrk"), reason="wrk is not installed on this machine")


class Fickle(http.server.BaseHTTPRequestHandler):
    """Answers in turn rightly, with a 500, wrongly, and by closing the connection."""

    protocol_version = "HTTP/1.1"
    turn: ClassVar[int] = 0
    counted: ClassVar[dict[str, int]] = {}
    lock: ClassVar[threading.Lock] = threading.Lock()

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        with self.lock:
            type(self).turn += 1
            how = ("reset", "right", "right", "error", "wrong")[self.turn % 5]
            self.counted[how] = self.counted.get(how, 0) + 1
        if how == "reset":
            self.close_connection = True
            self.connection.shutdown(socket.SHUT_RDWR)
            return
        body = json.dumps({"predictions": [2.5 if how == "wrong" else 1.5]}).encode()
        self.send_response(500 if how == "error" else 200)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("X-Slipway-Deployment", "d")
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def url() -> Iterator[str]:
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Fickle)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    server.server_close()


@needs_wrk
def test_every_request_is_counted_as_what_became_of_it(url: str) -> None:
    with Load(url, b"{}") as running:
        load.await_answers(running, 200)
    samples = running.samples
    running.remove()
    found = load.failures(samples)
    seen = Fickle.counted
    assert found["status 500"] == pytest.approx(seen["error"], abs=load.CONNECTIONS)
    assert found["no answer"] == pytest.approx(seen["reset"], abs=load.CONNECTIONS)
    assert len(load.wrong(samples, {"d": 1.5})) == pytest.approx(seen["wrong"], abs=load.CONNECTIONS)
    assert sum(found.values()) < len(samples) < sum(seen.values()) + load.CONNECTIONS


def sample(started: float, deployment: str = "a", status: int = 200, seconds: float = 0.01) -> Sample:
    return Sample(started, seconds, status, deployment, "1.5", "id")


def test_an_answer_of_a_deployment_that_nobody_knows_is_wrong() -> None:
    assert load.wrong([sample(1, "a"), sample(2, "b")], {"a": 1.5}) == [sample(2, "b")]


def test_a_failed_request_is_not_also_a_wrong_answer() -> None:
    assert load.wrong([sample(1, "b", status=502)], {"a": 1.5}) == []


def test_a_switch_is_judged_by_the_requests_of_its_second_alone() -> None:
    calm = [sample(float(second)) for second in range(10)]
    switch = [sample(10.8, "a", seconds=0.03), sample(11.0, "b"), sample(13.0, "b", seconds=5.0)]
    assert play.around_switches([*calm, *switch], started=10.0) == pytest.approx(3.0)


def test_without_another_deployment_there_is_no_switch_to_judge() -> None:
    assert play.around_switches([sample(1.0), sample(2.0)], started=1.5) is None


def test_the_fleet_has_changed_with_the_last_answer_of_what_it_left() -> None:
    moved = [sample(11.0, "b"), sample(12.0, "a", seconds=0.5), sample(13.0, "a", status=500), sample(14.0, "b")]
    assert play.changed([sample(9.0), *moved], asked=10.0) == pytest.approx(2.5)
    assert play.changed(moved[-1:], asked=10.0) is None


def test_figures_come_from_rows_that_passed_alone() -> None:
    good = Verdict(Row("good-model", act), 100, 0, 0, 0, 30.0, 26.0, 1.5)
    failed = Verdict(Row("roll-back", act), 100, 1, 0, 0, 9.0, 8.0, None)
    refused = [Verdict(Row(name, act), 100, 0, 0, 0, 12.0, None, None) for name in REFUSED]
    assert [each.value for each in figures([good, failed, *refused], bake_seconds=6)] == [20.0, 12.0, 1.5]


def act(_: Day) -> None:
    """Something happens."""


@pytest.mark.parametrize(
    ("failed", "allowed", "wrong", "trouble", "passed"),
    [(0, 0, 0, "", True), (1, 0, 0, "", False), (5, 5, 0, "", True), (0, 9, 1, "", False), (0, 0, 0, "mixed", False)],
)
def test_a_row_passes_only_without_unexplained_failures(
    failed: int, allowed: int, wrong: int, trouble: str, passed: bool
) -> None:
    verdict = Verdict(Row("x", act), 100, failed, allowed, wrong, 1.0, None, None, trouble)
    assert verdict.passed is passed
    assert "Something happens" in play.table([verdict])

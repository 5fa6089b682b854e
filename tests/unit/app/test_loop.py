"""HTTP/1.1 as clients really speak it, byte by byte, to the real gunicorn on its Unix socket."""

import socket
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from contract import HEADERS, HTTP
from tests.waiting import until

from .conftest import launch, write_manifest
from .process import Server
from .wire import Wire, chunked, get, post

Connect = Callable[[], Wire]
ROW = {"x": 1.5}
ANSWER = {"predictions": [3.0]}


@pytest.fixture(scope="module")
def server(models: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """One for all of them: what one client does wrong, the next must not notice."""
    folder = tmp_path_factory.mktemp("server")
    server = launch(folder, models, write_manifest(models, folder, "scaled"), SLIPWAY_CLIENT_SECONDS="1")
    server.wait_ready()
    yield server
    server.end()


@pytest.fixture
def connect(server: Server) -> Iterator[Connect]:
    wires: list[Wire] = []

    def make() -> Wire:
        wires.append(Wire(server.socket))
        return wires[-1]

    yield make
    for wire in wires:
        wire.close()
    assert {line["level"] for line in server.lines()} <= {"info"}, server.log.read_text()


def test_a_kept_connection_serves_every_kind_of_request_in_turn(connect: Connect) -> None:
    wire = connect()
    for _ in range(3):
        for request, status in (
            (post("/predict", ROW), 200),
            (get("/livez"), 200),
            (post("/invocations", {"dataframe_records": [ROW]}), 200),
            (post("/predict", {"y": 1}), 400),
            (get("/nowhere"), 404),
            (post("/predict/nobody", ROW), 404),
            (post("/predict", b"not json"), 400),
        ):
            wire.send(request)
            reply = wire.reply()
            assert (reply.status, reply.headers["Connection"]) == (status, "keep-alive")
            assert len(reply.body) == int(reply.headers["Content-Length"])
            assert {"Date", "X-Request-Id", "X-Slipway-Deployment", "Content-Type"} <= reply.headers.keys()


def test_pipelined_requests_are_answered_in_order(connect: Connect) -> None:
    wire = connect()
    rows = [{"x": float(number)} for number in range(20)]
    requests = [post("/predict", row) if number % 3 else get("/livez") for number, row in enumerate(rows)]
    wire.send(b"".join(requests))
    for number, row in enumerate(rows):
        expected = {"predictions": [row["x"] * 2]} if number % 3 else {"status": "alive"}
        assert wire.reply().json == expected


def test_a_request_that_comes_byte_by_byte_is_one_request(connect: Connect) -> None:
    wire = connect()
    for byte in post("/predict", ROW):
        wire.send(bytes([byte]))
    assert wire.reply().json == ANSWER


def test_a_chunked_body_is_read_whole(connect: Connect) -> None:
    wire = connect()
    wire.send(chunked("/predict", b'{"x"', b": 1", b".5}") + chunked("/predict", b"{") + get("/livez"))
    assert wire.reply().json == ANSWER
    assert wire.reply().status == 400, "it is whole, and no JSON"
    assert wire.reply().json == {"status": "alive"}


def test_the_answer_to_head_has_a_length_and_no_body(connect: Connect) -> None:
    wire = connect()
    wire.send(b"HEAD /livez HTTP/1.1\r\nHost: x\r\n\r\n" + get("/livez"))
    head = wire.reply(to_head=True)
    whole = wire.reply()
    assert (head.status, head.headers["Content-Length"]) == (200, whole.headers["Content-Length"])


def test_a_client_that_expects_100_continue_is_told_to(connect: Connect) -> None:
    wire = connect()
    request = post("/predict", ROW, "Expect: 100-continue")
    head, _, body = request.partition(b"\r\n\r\n")
    wire.send(head + b"\r\n\r\n")
    assert wire.reply().status == 100
    wire.send(body)
    assert wire.reply().json == ANSWER
    wire.send(post("/predict", ROW, "Expect: wonders"))
    assert wire.reply().status == 417
    assert wire.is_closed


def test_a_body_that_is_too_large_is_refused_before_it_is_sent(connect: Connect) -> None:
    wire = connect()
    length = HTTP.body_bytes + 1
    head = f"POST /invocations HTTP/1.1\r\nHost: x\r\nContent-Length: {length}\r\n"
    wire.send(f"{head}Content-Type: application/json\r\nExpect: 100-continue\r\n\r\n".encode())
    reply = wire.reply()
    assert (reply.status, reply.headers["Connection"]) == (413, "close")
    assert str(HTTP.body_bytes) in reply.json["message"], "in the shape of MLflow's protocol"
    assert wire.is_closed


def test_a_client_that_sends_too_much_reads_why(connect: Connect) -> None:
    wire = connect()
    wire.send(post("/predict", b" " * (HTTP.body_bytes + 1)))
    assert wire.reply().status == 413
    endless = connect()
    endless.send(chunked("/predict", *[b" " * 2**20] * (HTTP.body_bytes // 2**20 + 1)))
    reply = endless.reply()
    assert (reply.status, "error" in reply.json) == (413, True)


MALFORMED = {
    "no HTTP": (b"hello\r\n\r\n", 400),
    "a version of its own": (b"GET / HTTP/3.7\r\nHost: x\r\n\r\n", 400),
    "the other version": (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 400),
    "no host": (b"GET /livez HTTP/1.1\r\n\r\n", 400),
    "two hosts": (b"GET /livez HTTP/1.1\r\nHost: x\r\nHost: y\r\n\r\n", 400),
    "two lengths": (b"POST /predict HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n", 400),
    "a length that is none": (b"POST /predict HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n", 400),
    "length and chunks": (
        b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        400,
    ),
    "a chunk that is none": (
        b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        400,
    ),
    "another encoding": (b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: gzip, chunked\r\n\r\n", 501),
    "chunks in 1.0": (b"POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 501),
    "a folded header": (b"GET / HTTP/1.1\r\nHost: x\r\nA: b\r\n c\r\n\r\n", 400),
    "a space before the colon": (b"GET / HTTP/1.1\r\nHost : x\r\n\r\n", 400),
    "a NUL": (b"GET / HTTP/1.1\r\nHost: x\0\r\n\r\n", 400),
    "a long address": (b"GET /" + b"a" * 9000 + b" HTTP/1.1\r\nHost: x\r\n\r\n", 414),
    "a long header": (b"GET / HTTP/1.1\r\nHost: x\r\nA: " + b"a" * 70_000 + b"\r\n\r\n", 431),
    "many headers": (b"GET / HTTP/1.1\r\nHost: x\r\n" + b"A: b\r\n" * 200 + b"\r\n", 431),
}


@pytest.mark.parametrize(("request_", "status"), MALFORMED.values(), ids=MALFORMED.keys())
def test_what_is_wrong_as_http_is_refused_and_the_connection_closed(
    connect: Connect, request_: bytes, status: int
) -> None:
    wire = connect()
    wire.send(get("/livez") + request_)
    assert wire.reply().json == {"status": "alive"}, "the one before it is answered"
    reply = wire.reply()
    assert (reply.status, reply.headers["Connection"]) == (status, "close"), reply.body
    assert reply.json["error"]["request_id"] == reply.headers["X-Request-Id"]
    assert reply.headers["X-Slipway-Model"] == "scaled/3"
    assert wire.is_closed


def test_a_header_that_never_ends_is_refused_at_its_limit(connect: Connect) -> None:
    wire = connect()
    wire.send(b"GET / HTTP/1.1\r\nHost: x\r\nA: ")
    for _ in range(100):
        wire.send(b"a" * 4096)
    assert wire.reply().status == 431
    assert wire.is_closed


def test_http_1_0_is_answered_and_closed_unless_it_asks_to_be_kept(connect: Connect) -> None:
    wire = connect()
    wire.send(b"GET /livez HTTP/1.0\r\nConnection: keep-alive\r\n\r\n")
    assert wire.reply().headers["Connection"] == "keep-alive"
    wire.send(b"GET /livez HTTP/1.0\r\n\r\n")
    assert wire.reply().headers["Connection"] == "close"
    assert wire.is_closed


def test_a_connection_that_is_asked_to_close_closes_after_the_answer(connect: Connect) -> None:
    wire = connect()
    wire.send(post("/predict", ROW, "Connection: close"))
    reply = wire.reply()
    assert (reply.json, reply.headers["Connection"]) == (ANSWER, "close")
    assert wire.is_closed


def test_an_upgrade_is_not_taken_and_the_request_is_answered(connect: Connect) -> None:
    wire = connect()
    wire.send(get("/livez", "Connection: Upgrade", "Upgrade: websocket"))
    reply = wire.reply()
    assert (reply.status, reply.headers["Connection"]) == (200, "close")


def test_a_client_that_is_too_slow_is_told_so(connect: Connect) -> None:
    headers, body, silent = connect(), connect(), connect()
    headers.send(b"POST /predict HTTP/1.1\r\nHost:")
    body.send(post("/predict", ROW)[:-3])
    for wire in (headers, body):
        reply = wire.reply()
        assert (reply.status, reply.headers["Connection"]) == (408, "close")
        assert wire.is_closed
    assert silent.is_closed, "who says nothing is told nothing"


def test_a_truncated_request_is_400_for_a_client_that_still_reads(connect: Connect) -> None:
    wire = connect()
    wire.send(post("/predict", ROW)[:-3])
    wire.socket.shutdown(socket.SHUT_WR)
    assert wire.reply().status == 400
    assert wire.is_closed


def test_a_client_that_has_sent_all_may_close_its_half(connect: Connect) -> None:
    wire = connect()
    wire.send(post("/predict", ROW) + get("/livez"))
    wire.socket.shutdown(socket.SHUT_WR)
    assert wire.reply().json == ANSWER
    assert wire.reply().json == {"status": "alive"}
    assert wire.is_closed


def test_addresses_in_their_other_forms(connect: Connect) -> None:
    wire = connect()
    for target, status in (
        ("http://x/livez", 200),
        ("/livez?a=b", 200),
        ("/%6civez", 200),
        ("/predict?x=1", 405),
    ):
        wire.send(get(target))
        assert (target, wire.reply().status) == (target, status)
    wire.send(b"OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\n")
    assert wire.reply().status in (200, 404, 405)


def test_headers_reach_the_application_as_wsgi_wants_them(connect: Connect) -> None:
    wire = connect()
    wire.send(get("/livez", "x-request-id: mine-7"))
    assert wire.reply().headers["X-Request-Id"] == "mine-7"
    wire.send(get("/livez", "x_request_id: smuggled"))
    assert wire.reply().headers["X-Request-Id"] != "smuggled", "an underscore is no hyphen"


def test_plain_and_other_predictions_are_one_log_line_each(server: Server) -> None:
    wire = Wire(server.socket)
    wire.send(post("/predict", ROW, "X-Request-Id: plain-1"))
    wire.send(post("/predict", [{"x": None}], "X-Request-Id: other-1"))
    wire.reply()
    wire.reply()
    wire.close()
    lines = {line["request_id"]: line for line in server.lines() if line["message"] == "request"}
    assert lines["plain-1"].keys() == lines["other-1"].keys()
    assert lines["plain-1"]["path"] == lines["other-1"]["path"] == "/predict"


TENSOR = {"name": "x", "shape": [1, 1], "datatype": "FP64", "data": [1.5]}


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        ("/invocations", {"dataframe_records": [ROW]}, 200),
        ("/v2/models/scaled/infer", {"inputs": [TENSOR]}, 200),
        ("/predict", {"y": 1}, 400),
    ],
)
def test_an_answers_digest_is_logged_only_where_it_is_asked_for(
    server: Server, connect: Connect, path: str, body: object, status: int
) -> None:
    def answers(compared: str) -> list[tuple[int, int]]:
        lines = [line for line in server.lines() if line["message"] == "answer" and line["compare"] == compared]
        return [(line["status"], len(line["digest"])) for line in lines]

    wire = connect()
    for lines in ([], [f"{HEADERS.compare}: of {path}"]):
        wire.send(post(path, body, *lines))
        assert wire.reply().status == status
    assert until(lambda: answers(f"of {path}"), "it is logged", 10) == [(status, 16)]
    assert answers("") == []

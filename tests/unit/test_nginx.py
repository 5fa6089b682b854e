"""Nginx's configuration, rendered from the shipped files and read by the real Nginx."""

import json
import re
import shutil
import socket
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import contract
from contract.node_files import node_files
from tests.waiting import until

nginx = shutil.which("nginx", path="/usr/sbin:/usr/bin:/usr/local/sbin")
needs_nginx = pytest.mark.skipif(nginx is None, reason="nginx is not installed on this machine")


def rendered(folder: Path) -> Path:
    """The serving node's Nginx files below `folder`, which stands for the root; paths in them are moved there too."""
    for file in node_files("serving"):
        if file.path.startswith("/etc/nginx/"):
            place = folder / file.path.lstrip("/")
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_text(re.sub(r"(/etc/nginx/|/run/nginx|/run/slipway)", rf"{folder}\1", file.content))
    (folder / "run" / "slipway").mkdir(parents=True, exist_ok=True)
    return folder / "etc/nginx/nginx.conf"


@needs_nginx
def test_nginx_accepts_the_rendered_configuration(tmp_path: Path) -> None:
    assert nginx
    done = subprocess.run([nginx, "-t", "-c", str(rendered(tmp_path))], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "warn" not in done.stderr, done.stderr


def test_timeouts_grow_outwards_so_that_the_balancer_never_reuses_a_closed_connection() -> None:
    http = contract.HTTP
    assert http.nginx_keepalive_seconds > http.balancer_idle_seconds > http.nginx_read_seconds > http.predict_seconds


def test_a_failed_prediction_is_sent_again_but_an_overloaded_server_is_left_alone(tmp_path: Path) -> None:
    rendered(tmp_path)
    text = (tmp_path / "etc/nginx/slipway/model-server.conf").read_text()
    directive = next(line for line in text.splitlines() if "proxy_next_upstream " in line)
    assert directive.strip() == "proxy_next_upstream error timeout http_500 http_502 http_504 non_idempotent;"
    assert text.count("/current.sock max_fails=0;") == 2
    assert text.count("/previous.sock max_fails=0 backup;") == 1


def test_the_access_log_is_one_json_object_per_request(tmp_path: Path) -> None:
    text = rendered(tmp_path).read_text()
    declared = text.split("log_format slipway escape=json", 1)[1].split(";", 1)[0]
    line = "".join(re.findall(r"'([^']*)'", declared))
    assert re.sub(r'"\$\w+"', '"x"', line).startswith('{"event":"request"')
    fields = re.findall(r'"(\w+)":"(\$?\w+)"', line)
    assert {"request_id", "status", "upstream_status", "deployment", "model"} <= {name for name, _ in fields}


def served(folder: Path) -> Iterator[Path]:
    """The socket of an Nginx that runs the rendered configuration, and has no server behind it."""
    main = rendered(folder)
    site = folder / "etc/nginx/slipway/model-server.conf"
    address = folder / "http.sock"
    listen = re.compile(r"listen \S+ default_server[^;]*;")
    assert len(listen.findall(site.read_text())) == 1
    site.write_text(listen.sub(f"listen unix:{address};", site.read_text()))
    main.write_text(main.read_text().replace("user www-data;", "user root;"))  # pytest's folders are nobody else's
    trial = folder / "etc/nginx/slipway/trial"
    for file in (trial.with_suffix(".conf"), trial.with_suffix(".inc")):  # a port would be another test's too
        place = f"unix:{folder}/copies.sock"
        text = file.read_text().replace(f"listen 127.0.0.1:{contract.PORTS.shadow}", f"listen {place}")
        file.write_text(text.replace(f"127.0.0.1:{contract.PORTS.shadow}$request_uri", f"{place}:$request_uri"))
    for file in (main, site, trial.with_suffix(".conf")):
        file.write_text(re.sub(r"error_log \S+ (\w+)", rf"error_log {folder}/error.log \1", file.read_text()))
    assert nginx
    process = subprocess.Popen([nginx, "-c", str(main), "-g", "daemon off;"], stderr=subprocess.DEVNULL)
    until(lambda: address.exists() or process.poll() is not None, "Nginx listens")
    assert process.poll() is None, "Nginx does not start"
    yield address
    process.terminate()
    process.wait(10)


@pytest.fixture
def address(tmp_path: Path) -> Iterator[Path]:
    yield from served(tmp_path)


def asked(address: Path, request: str) -> str:
    """The answer as far as it says that it goes: Nginx waits for the rest of what it has refused before it closes."""
    with socket.socket(socket.AF_UNIX) as client:
        client.settimeout(10)
        client.connect(str(address))
        client.sendall(request.encode())
        answer = b""
        while not whole(answer) and (more := client.recv(65536)):
            answer += more
        return answer.decode()


def whole(answer: bytes) -> bool:
    head, _, body = answer.partition(b"\r\n\r\n")
    length = re.search(rb"Content-Length: (\d+)", head)
    return length is not None and len(body) >= int(length[1])


@needs_nginx
def test_a_node_without_a_slot_is_not_ready_and_that_is_no_error_of_nginx(address: Path) -> None:
    answer = asked(address, "GET /readyz HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
    assert answer.startswith("HTTP/1.1 503")
    assert json.loads(answer.partition("\r\n\r\n")[2])["status"] == "not ready"
    assert "current.sock" not in (address.parent / "error.log").read_text()


@needs_nginx
def test_a_node_with_a_slot_is_as_ready_as_the_slot_says(address: Path) -> None:
    with socket.socket(socket.AF_UNIX) as slot:
        slot.bind(str(address.parent / "run/slipway/a.sock"))
        slot.listen()
        (address.parent / "run/slipway/current.sock").symlink_to("a.sock")
        answering = threading.Thread(target=answer_once, args=(slot,))
        answering.start()
        answer = asked(address, "GET /readyz HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
        answering.join(10)
    assert answer.startswith("HTTP/1.1 200")
    assert answer.endswith("ready")


def answer_once(slot: socket.socket) -> None:
    connection, _ = slot.accept()
    with connection:
        connection.recv(65536)
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nready")


@needs_nginx
@pytest.mark.parametrize(
    ("path", "where"),
    [
        ("/invocations", "message"),
        ("/models/a/invocations", "message"),
        ("/predict", "error"),
        ("/v2/models/a/infer", ""),
    ],
)
def test_a_body_that_is_too_large_is_refused_in_the_shape_of_its_protocol(address: Path, path: str, where: str) -> None:
    head = f"POST {path} HTTP/1.1\r\nHost: a\r\nContent-Length: {contract.HTTP.body_bytes + 1}\r\n"
    answer = asked(address, f"{head}X-Request-Id: mine-1\r\nConnection: close\r\n\r\n")
    says = f"the body is larger than {contract.HTTP.body_bytes} bytes"
    facts = {"message": says, "request_id": "mine-1"}
    shapes: dict[str, Any] = {
        "message": {"error_code": "BAD_REQUEST", **facts},
        "error": {"error": {"code": "BAD_REQUEST", **facts}},
        "": {"error": says},
    }
    assert answer.startswith("HTTP/1.1 413")
    assert json.loads(answer.partition("\r\n\r\n")[2]) == shapes[where]


@needs_nginx
@pytest.mark.parametrize(
    ("sent", "status", "says"),
    [
        (b"\x16\x03\x01\x02\x00hello\r\n\r\n", 400, "not valid HTTP"),
        (b"GET\r\n\r\n", 400, "not valid HTTP"),
        (b"GET /ping HTTP/9.9\r\nHost: a\r\n\r\n", 400, "not valid HTTP"),
        (b"GET /ping HTTP/1.1\r\n\r\n", 400, "not valid HTTP"),
        (b"GET /%zz HTTP/1.1\r\nHost: a\r\n\r\n", 400, "not valid HTTP"),
        (b"GET /\0 HTTP/1.1\r\nHost: a\r\n\r\n", 400, "not valid HTTP"),
        (b"CONNECT a:1 HTTP/1.1\r\nHost: a\r\n\r\n", 400, "not valid HTTP"),
        (b"POST /predict HTTP/1.1\r\nHost: a\r\nContent-Length: one\r\n\r\n", 400, "not valid HTTP"),
        (b"POST /predict HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: other\r\n\r\n", 400, "not valid HTTP"),
        (b"GET /ping HTTP/1.1\r\nHost: a\r\nX: " + b"x" * 40_000 + b"\r\n\r\n", 400, "not valid HTTP"),
        (b"GET /" + b"x" * 20_000 + b" HTTP/1.1\r\nHost: a\r\n\r\n", 414, "too long"),
    ],
)
def test_what_is_no_http_is_the_callers_mistake_and_is_told_in_json(
    address: Path, sent: bytes, status: int, says: str
) -> None:
    with socket.socket(socket.AF_UNIX) as client:
        client.settimeout(10)
        client.connect(str(address))
        client.sendall(sent)
        answer = b"".join(iter(lambda: client.recv(65536), b"")).decode()
    assert answer.startswith(f"HTTP/1.1 {status} ")
    head, _, body = answer.partition("\r\n\r\n")
    assert "Content-Type: application/json" in head
    assert says in json.loads(body)["error"]

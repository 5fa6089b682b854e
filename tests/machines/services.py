"""A network of one test, and small programs plugged into it: what the services' tests run against."""

import http.client
import json
import os
import secrets
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from ipaddress import IPv4Interface
from pathlib import Path

from localcloud.cgroup import Cgroup
from localcloud.network import Network
from localcloud.process import Process, spawn
from localcloud.state import State

# A target: GET /readyz answers the status in the file `ready`; anything else its name, after `?sleep=` seconds.
TARGET = """
import json, sys, time, urllib.parse
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
name, port, ready = sys.argv[1], int(sys.argv[2]), sys.argv[3]
class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def do_GET(self):
        url = urllib.parse.urlsplit(self.path)
        if url.path == "/readyz":
            return self.answer(int(open(ready).read()), b"")
        query = urllib.parse.parse_qs(url.query)
        if "die" in query:
            self.close_connection = True
            return
        time.sleep(float(query.get("sleep", ["0"])[0]))
        headers = [list(pair) for pair in self.headers.items()]
        body = {"name": name, "headers": headers, "client": self.client_address[0]}
        self.answer(200, json.dumps(body).encode())
    do_POST = do_GET
    def answer(self, status, body):
        self.send_response(status); self.send_header("Content-Length", str(len(body))); self.end_headers()
        self.wfile.write(body)
    def log_message(self, *_): pass
class Server(ThreadingHTTPServer):
    request_queue_size = 128
Server(("0.0.0.0", port), Handler).serve_forever()
"""


@dataclass
class Lab:
    """`state` and `network` as the daemon has them, under a name of this test's own."""

    state: State
    network: Network
    attached: list[str] = field(default_factory=list)
    processes: list[Process] = field(default_factory=list)

    def attach(self, name: str, address: str) -> str:
        netns = self.network.attach(name, IPv4Interface(address))
        self.attached.append(name)
        return netns

    def serve(self, name: str, address: str, port: int = 8080) -> "Backend":
        """A small HTTP server at `address` (with its prefix length), ready."""
        ready = self.state.folder / f"{name}.ready"
        ready.write_text("200")
        self.attach(name, address)
        return Backend(ready, self.serve_more(name, port))

    def serve_more(self, name: str, port: int) -> Process:
        """Another port of an attached server."""
        ready, netns = self.state.folder / f"{name}.ready", f"{self.network.netns}-{name}"
        argv = [sys.executable, "-c", TARGET, name, str(port), str(ready)]
        process = spawn(argv, log=self.state.log(name), netns=netns)
        self.processes.append(process)
        return process


@dataclass
class Backend:
    ready: Path
    process: Process


@contextmanager
def lab() -> Iterator[Lab]:
    folder = Path(tempfile.mkdtemp(prefix="slipway-services-"))
    state = State(folder)
    state.create()
    network = Network(f"slipway-{secrets.token_hex(3)}")
    found = Lab(state, network)
    try:
        network.create()
        yield found
    finally:
        for process in found.processes:
            process.terminate(1)
        for name in found.attached:
            network.detach(name)
        network.destroy()
        Cgroup(network.netns).remove()
        shutil.rmtree(folder)


def get(port: int, path: str, headers: dict[str, str] | None = None, method: str = "GET") -> tuple[int, str]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request(method, path, headers=headers or {})
        answer = connection.getresponse()
        return answer.status, answer.read().decode()
    finally:
        connection.close()


def who(port: int, path: str = "/predict") -> str:
    status, text = get(port, path)
    return json.loads(text)["name"] if status == 200 else str(status)


def connects(network: Network, netns: str, address: str, port: int) -> bool:
    """Whether a TCP connection from `netns` succeeds within a second."""
    code = f"import socket; socket.create_connection(({address!r}, {port}), 1)"
    argv = ["nsenter", f"--net=/run/netns/{netns}", "--", sys.executable, "-c", code]
    return subprocess.run(argv, capture_output=True, check=False, env={**os.environ}).returncode == 0

"""The HTTP API of jobs as `slipway batch` sees it, without workers: a job is done once it was asked for enough."""

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


class FakeJobs:
    """Doubles `x`. `patience`: how often a job is asked for before it is done; `refusals`: of the first requests."""

    def __init__(self, patience: int = 1, refusals: int = 0) -> None:
        self.patience, self.refusals = patience, refusals
        self.bodies: list[list[dict[str, Any]]] = []
        self.paths: list[str] = []
        self.keys: dict[str, int] = {}
        self.asked: dict[int, int] = {}
        self.status = 202
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                self.reply(*outer.submit(self.path, json.loads(body), self.headers["Idempotency-Key"]))

            def do_GET(self) -> None:
                _, _, job, *rest = self.path.split("/")
                self.reply(*(outer.result(int(job)) if rest else outer.state(int(job))))

            def reply(self, status: int, content: Any) -> None:
                text = json.dumps(content).encode()
                self.send_response(status)
                self.send_header("Content-Length", str(len(text)))
                if status == 429:
                    self.send_header("Retry-After", "0")
                self.end_headers()
                self.wfile.write(text)

            def log_message(self, *_: Any) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def submit(self, path: str, body: list[dict[str, Any]], key: str) -> tuple[int, Any]:
        if self.refusals:
            self.refusals -= 1
            return 429, {"error": {"code": "QUEUE_FULL", "message": "the queue is full"}}
        if self.status != 202:
            return self.status, {"error": {"message": "asynchronous predictions are off"}}
        if key not in self.keys:
            self.keys[key] = len(self.bodies)
            self.bodies.append(body)
            self.paths.append(path)
        return 202, {"id": str(self.keys[key])}

    def state(self, job: int) -> tuple[int, Any]:
        self.asked[job] = self.asked.get(job, 0) + 1
        return 200, {"state": "succeeded" if self.asked[job] > self.patience else "running"}

    def result(self, job: int) -> tuple[int, Any]:
        if any(row.get("x") == 666 for row in self.bodies[job]):
            return 400, {"error": {"message": "row 0 cannot be borne"}}
        return 200, {"predictions": [None if row.get("x") is None else 2 * row["x"] for row in self.bodies[job]]}

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()

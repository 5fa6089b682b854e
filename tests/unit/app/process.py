"""A running gunicorn and what a test asks it: HTTP over its Unix socket, its log line by line, its end."""

import contextlib
import json
import signal
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.json_lines import whole_lines
from tests.unix import UnixConnection
from tests.waiting import until


@dataclass
class Server:
    process: subprocess.Popen[str]
    socket: Path
    log: Path

    def connect(self) -> UnixConnection:
        return UnixConnection(self.socket)

    def ask(self, method: str, path: str, body: Any = None, over: UnixConnection | None = None) -> tuple[int, Any, Any]:
        """Status, decoded body and headers; over a connection of its own unless one is given."""
        connection = over or self.connect()
        headers = {"Content-Type": "application/json"} if body is not None else {}
        connection.request(method, path, json.dumps(body) if body is not None else None, headers)
        answer = connection.getresponse()
        content = answer.read()
        if over is None:
            connection.close()
        return answer.status, json.loads(content.strip() or "null"), answer.headers

    def in_flight(self) -> int:
        """Predictions in the workers' lines; of the worker that answers as they are now, of others a second ago."""
        return sum(worker["in_flight"] for worker in self.ask("GET", "/version")[1]["workers"])

    def wait_ready(self, seconds: float = 60, path: str = "/readyz") -> None:
        def ready() -> bool:
            assert self.process.poll() is None, self.log.read_text()
            with contextlib.suppress(OSError):
                return bool(self.ask("GET", path)[0] == 200)
            return False

        until(ready, lambda: f"it is ready\n{self.log.read_text()}", seconds)

    def lines(self) -> list[Any]:
        return whole_lines(self.log)

    def stop(self) -> int:
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(60)

    def end(self) -> None:
        """Whatever state it is in."""
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()

"""HTTP over a Unix socket, as Nginx and the acceptor speak to the model server."""

import http.client
import socket
from pathlib import Path

SECONDS = 60


class UnixConnection(http.client.HTTPConnection):
    def __init__(self, path: Path) -> None:
        super().__init__("localhost", timeout=SECONDS)
        self.path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(SECONDS)
        self.sock.connect(str(self.path))

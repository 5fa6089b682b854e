"""HAProxy's runtime API: a line in, text out, on a Unix socket that is made here and inherited by HAProxy.

Socket paths have 107 characters at most and a checkout may lie deeper, so both ends go through the folder's descriptor.
"""

import csv
import io
import os
import socket
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

TIMEOUT_SECONDS = 2.0
DONE = ("", "New server registered.", "Server deleted.", "No such server.", "Done.")

# A server that still has a connection: the next turn asks again.
LATER = ("Server still has", "There are still")


@dataclass(frozen=True)
class Row:
    """One server as `show stat` has it. `check` is HAProxy's code for the last check, `INI` before the first."""

    backend: str
    server: str
    address: str
    status: str
    check: str
    check_code: str
    sessions: int


Counters = dict[tuple[str, str, str], tuple[int, int]]
"""Requests and 5xx answers since HAProxy started, by kind (frontend, backend, server), backend and server."""

KINDS = {"0": "frontend", "1": "backend", "2": "server"}


@contextmanager
def short_path(path: Path) -> Iterator[str]:
    folder = os.open(path.parent, os.O_PATH | os.O_DIRECTORY)
    try:
        yield f"/proc/self/fd/{folder}/{path.name}"
    finally:
        os.close(folder)


def listen(path: Path) -> socket.socket:
    """A listening socket at `path`, which must not exist."""
    server = socket.socket(socket.AF_UNIX)
    with short_path(path) as name:
        server.bind(name)
    path.chmod(0o600)
    server.listen(16)
    return server


class Runtime:
    def __init__(self, path: Path) -> None:
        self._path = path

    def ask(self, command: str) -> str:
        """HAProxy's answer. Raises `OSError` when none comes."""
        with socket.socket(socket.AF_UNIX) as client, short_path(self._path) as name:
            client.settimeout(TIMEOUT_SECONDS)
            client.connect(name)
            client.sendall(f"{command}\n".encode())
            chunks = []
            while chunk := client.recv(65536):
                chunks.append(chunk)
        return b"".join(chunks).decode(errors="replace").strip()

    def tell(self, commands: Sequence[str]) -> list[str]:
        """Gives each command, and returns the complaints: what HAProxy would not do, in its words."""
        complaints = []
        for command in commands:
            answer = self.ask(command)
            if answer not in DONE and not answer.startswith(LATER):
                complaints.append(f"{command}: {answer}")
        return complaints

    def look(self) -> tuple[list[Row], Counters]:
        """Every server of every backend, and what all have counted."""
        stat = self.ask("show stat -1 7 -1")
        return parse(stat), counters(stat)


def counters(stat: str) -> Counters:
    """Requests and errors in `show stat`'s CSV. A frontend counts requests, the others sessions: one for each."""
    return {
        (KINDS[line["type"]], line["pxname"], line["svname"]): (
            int(line["req_tot" if line["type"] == "0" else "stot"] or 0),
            int(line["hrsp_5xx"] or 0),
        )
        for line in csv.DictReader(io.StringIO(stat.removeprefix("# ")))
        if line["type"] in KINDS
    }


def parse(stat: str) -> list[Row]:
    """The servers in `show stat`'s CSV."""
    reader = csv.DictReader(io.StringIO(stat.removeprefix("# ")))
    return [
        Row(
            backend=line["pxname"],
            server=line["svname"],
            address=line["addr"],
            status=line["status"],
            check=line["check_status"].removeprefix("* "),
            check_code=line["check_code"],
            sessions=int(line["scur"] or 0),
        )
        for line in reader
        if line["type"] == "2"
    ]

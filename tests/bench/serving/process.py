"""One server under test: started, waited for, weighed, and ended with every process that it began.

Its processes are those of its group and their descendants: some peers start helpers that outlive a killed parent. It is
a session of its own only when asked for: Linux shares processors among sessions first (autogroup in
https://man7.org/linux/man-pages/man7/sched.7.html), and nodes are told not to.
"""

import http.client
import os
import signal
import socket
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from ops.errors import UserError
from ops.run import Result, last_lines

READY_SECONDS = 120.0
STOP_SECONDS = 20.0
POLL_SECONDS = 0.02


@dataclass(frozen=True)
class Address:
    """Where a server listens: a Unix socket, or a port on loopback."""

    socket: Path | None = None
    port: int = 0

    def connect(self, timeout_seconds: float = 30.0) -> http.client.HTTPConnection:
        if self.socket is None:
            return http.client.HTTPConnection("127.0.0.1", self.port, timeout=timeout_seconds)
        connection = http.client.HTTPConnection("localhost", timeout=timeout_seconds)
        connection.sock = socket.socket(socket.AF_UNIX)
        connection.sock.settimeout(timeout_seconds)
        connection.sock.connect(str(self.socket))
        return connection

    @property
    def upstream(self) -> str:
        """As Nginx writes it."""
        return f"unix:{self.socket}" if self.socket else f"127.0.0.1:{self.port}"


@dataclass(frozen=True)
class Answer:
    status: int
    headers: Mapping[str, str]
    body: bytes


def ask(
    address: Address, method: str, path: str, body: bytes | None = None, headers: Mapping[str, str] | None = None
) -> Answer:
    connection = address.connect()
    try:
        connection.request(method, path, body, dict(headers or {}))
        response = connection.getresponse()
        return Answer(response.status, dict(response.headers), response.read())
    finally:
        connection.close()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Process:
    """A server's process tree. `log` takes all it prints."""

    def __init__(
        self, argv: Sequence[str | Path], env: Mapping[str, str], cwd: Path, log: Path, *, session: bool = False
    ) -> None:
        self.log = log
        self.argv = [str(word) for word in argv]
        self.started = time.monotonic()
        with log.open("a") as stream:
            self._process = subprocess.Popen(
                self.argv, env=dict(env), cwd=cwd, stdin=subprocess.DEVNULL, stdout=stream, stderr=stream,
                start_new_session=session, process_group=None if session else 0,
            )  # fmt: skip

    def wait_ready(self, address: Address, path: str) -> float:
        """Seconds from the start to the first 200."""
        deadline = self.started + READY_SECONDS
        while time.monotonic() < deadline:
            if self._process.poll() is not None:
                raise self._failure(f"ended with status {self._process.returncode} before it was ready")
            try:
                if ask(address, "GET", path).status == 200:
                    return time.monotonic() - self.started
            except (OSError, http.client.HTTPException):
                pass
            time.sleep(POLL_SECONDS)
        raise self._failure(f"not ready after {READY_SECONDS:g} s")

    def pids(self) -> set[int]:
        return tree(self._process.pid, processes())

    def children(self) -> set[int]:
        """The direct ones: a pre-forking server's workers."""
        return {pid for pid, (parent, _) in processes().items() if parent == self._process.pid}

    def pss_mib(self) -> float:
        """Proportional set size of the whole tree: pages that its processes share count once."""
        return sum(map(_pss_kib, self.pids())) / 1024

    def stop(self) -> None:
        pids = self.pids()
        self._process.terminate()
        try:
            self._process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        left = pids & (processes().keys() - {self._process.pid})
        for pid in left:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                continue

    def _failure(self, reason: str) -> UserError:
        said = Result(self.log.read_text(errors="replace"), "", 1)
        return UserError("\n".join([f"{' '.join(self.argv)}: {reason}", *last_lines(said)]), f"all it said: {self.log}")


def processes() -> dict[int, tuple[int, int]]:
    """Parent and group of every process that is there and alive."""
    found = {}
    for entry in os.scandir("/proc"):
        if not entry.name.isdecimal():
            continue
        try:
            fields = Path(entry.path, "stat").read_text().rpartition(")")[2].split()
        except (FileNotFoundError, ProcessLookupError):
            continue
        if fields[0] not in "ZX":
            found[int(entry.name)] = (int(fields[1]), int(fields[2]))
    return found


def tree(root: int, known: Mapping[int, tuple[int, int]]) -> set[int]:
    """`root`, its group, and all that descend from either."""
    members = {pid for pid, (_, group) in known.items() if pid == root or group == root}
    grown = True
    while grown:
        more = {pid for pid, (parent, _) in known.items() if parent in members} - members
        members |= more
        grown = bool(more)
    return members


def _pss_kib(pid: int) -> int:
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except (FileNotFoundError, ProcessLookupError, PermissionError):
        return 0
    return sum(int(line.split()[1]) for line in lines if line.startswith("Pss:"))

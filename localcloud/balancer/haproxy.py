"""One running HAProxy: its folder, its admin socket, its process.

It runs inside the machines' namespace and inherits its listening sockets, which were made on the host's loopback. So no
other process can take a port in between, and a successor takes the same sockets over without refusing a connection.
"""

import contextlib
import shutil
import signal
import socket
from collections.abc import Iterable, Sequence
from pathlib import Path

from localcloud.balancer.config import Files
from localcloud.balancer.names import FOLDER
from localcloud.balancer.runtime import Runtime, listen
from localcloud.process import Process, spawn

CONFIG = "haproxy.cfg"


class Haproxy:
    """Made with its admin socket, whose descriptor its configuration must name; started with that configuration."""

    def __init__(self, folder: Path) -> None:
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(mode=0o700, parents=True)
        self.folder = folder
        self.admin = listen(folder / "admin")
        self.runtime = Runtime(folder / "admin")
        self.sources: dict[str, set[str]] = {}
        self._process: Process | None = None

    argv = ("haproxy", "-db", "-f", f"{FOLDER}/{CONFIG}")

    def write(self, files: Files, sources: dict[str, set[str]]) -> None:
        """`sources` are the networks that may connect, by file name."""
        self.sources = sources
        lists = {name: "".join(f"{each}\n" for each in sorted(networks)) for name, networks in sources.items()}
        for name, text in {CONFIG: files.config, **files.beside, **lists}.items():
            file = self.folder / name
            file.touch(mode=0o600)
            file.write_text(text)

    def start(self, words: Sequence[str], listening: Iterable[socket.socket], netns: str, log: Path) -> None:
        """`words` are `argv` as run from the image, with the folder at `FOLDER`."""
        descriptors = [self.admin.fileno(), *(each.fileno() for each in listening)]
        self._process = spawn(words, log=log, netns=netns, pass_fds=descriptors)
        # From here on only HAProxy answers: when it dies, so does the socket, and asking it fails at once.
        self.admin.close()

    @property
    def alive(self) -> bool:
        return self._process is not None and self._process.alive

    @property
    def refused(self) -> bool:
        """Whether it ended by itself because its configuration is no good."""
        return self._process is not None and self._process.returncode == 1

    def answers(self) -> bool:
        try:
            return "Name: HAProxy" in self.runtime.ask("show info")
        except OSError:
            return False

    def allow(self, sources: dict[str, set[str]]) -> list[str]:
        """Changes who may connect, and returns complaints. The new are let in before the old are shut out."""
        commands = []
        for name, present in self.sources.items():
            networks = sources.get(name, set())
            commands += [f"add acl {FOLDER}/{name} {each}" for each in sorted(networks - present)]
            commands += [f"del acl {FOLDER}/{name} {each}" for each in sorted(present - networks)]
        self.sources = {name: sources.get(name, set()) for name in self.sources}
        return self.runtime.tell(commands)

    def retire(self) -> None:
        """Takes no new connection, and ends by itself when those it has are done (`hard-stop-after` at the latest)."""
        if self._process:
            self._process.send(signal.SIGUSR1)

    def stop(self) -> None:
        if self._process:
            self._process.terminate(timeout_seconds=2)
        with contextlib.suppress(OSError):
            self.admin.close()
        shutil.rmtree(self.folder, ignore_errors=True)

"""The two slots of a server as child processes, where a node has systemd's units; and Nginx in front of them.

They are started as the node's unit starts them. Nginx first listens when a deployment serves that has passed the gate:
until then whoever connects is refused at once, and a balancer asks another server.
"""

import os
import signal
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Callable
from pathlib import Path

from slipway_node.node import Node, log
from slipway_node.slots import CURRENT, Slots

STOP_SECONDS = 40.0
"""The longest predict, and what gunicorn waits beyond it."""
LAST_LINES = 25
MEMORY = "/tmp"  # noqa: S108  (the container's own, a tmpfs)
NGINX = ("/usr/sbin/nginx", "-e", "stderr", "-g", "daemon off;")


class Child:
    """A program in a process group of its own. What it says is passed on, and its last lines are kept."""

    def __init__(self, argv: tuple[str, ...], env: dict[str, str], cwd: Path) -> None:
        self.wanted = True
        self.lines: deque[str] = deque(maxlen=LAST_LINES)
        self._process = subprocess.Popen(
            argv, env=env, cwd=cwd, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, start_new_session=True
        )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def status(self) -> int | None:
        """None while it runs."""
        return self._process.poll()

    def end(self, number: signal.Signals, seconds: float) -> None:
        """Asks it to end, and kills its whole group when it has not in time."""
        self.wanted = False
        if self.status is None:
            self._process.send_signal(number)
            try:
                self._process.wait(seconds)
            except subprocess.TimeoutExpired:
                os.killpg(self.pid, signal.SIGKILL)
                self._process.wait()
        self._reader.join(1)

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            sys.stdout.buffer.write(line)
            sys.stdout.buffer.flush()
            self.lines.append(line.decode(errors="replace").rstrip("\n"))


class Processes(Slots):
    """`front` starts what listens for callers; without it nothing does."""

    def __init__(self, node: Node, front: Callable[[], Child] | None = None) -> None:
        super().__init__(node)
        self.children: dict[str, Child] = {}
        self.nginx: Child | None = None
        self._front = front

    def link(self, name: str, slot: str) -> None:
        super().link(name, slot)
        if name == CURRENT and self._front and self.nginx is None:
            self.nginx = self._front()

    def start(self, slot: str) -> None:
        folder = self._node.slots / slot
        self.children[slot] = Child(server_argv(self._node, slot), server_environment(self._node, slot), folder)

    def stop(self, slot: str) -> None:
        if child := self.children.pop(slot, None):
            child.end(signal.SIGTERM, STOP_SECONDS)

    def show(self, slot: str) -> dict[str, str]:
        child = self.children.get(slot)
        state = "inactive" if child is None else "active" if child.status is None else "failed"
        result = str(child.status) if child else "success"
        return {"ActiveState": state, "SubState": state, "NRestarts": "0", "Result": result}

    def last_lines(self, slot: str, since: float) -> list[str]:  # noqa: ARG002  (a child's lines are all its own)
        child = self.children.get(slot)
        return list(child.lines) if child else []

    def settle_later(self, wanted: bool) -> None:
        """Nothing: what serves is confirmed in the same breath, or undone."""

    def revive(self) -> None:
        """Starts again what has ended without being asked to, as systemd would."""
        for slot, child in list(self.children.items()):
            if child.wanted and child.status is not None:
                log("ended", slot=slot, status=child.status)
                self.start(slot)

    def bury(self) -> None:
        """Takes leave of orphans: as process 1 of the container it has inherited them."""
        own = {child.pid for child in (*self.children.values(), self.nginx) if child}
        while found := _ended():
            if found in own:
                return
            os.waitpid(found, 0)


def _ended() -> int:
    """A child that has ended and is not waited for yet, 0 when there is none."""
    try:
        seen = os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
    except ChildProcessError:
        return 0
    return seen.si_pid if seen else 0


def server_argv(node: Node, slot: str) -> tuple[str, ...]:
    bind = ("--config", "python:app.gunicorn_config", "--bind", f"unix:{node.socket(slot)}")
    return ("/usr/bin/python3", "-m", "gunicorn", *bind, "app.wsgi:app")


def server_environment(node: Node, slot: str) -> dict[str, str]:
    """As model-server@.service has it; and what of the container's own environment is the server's to know."""
    folder = node.slots / slot
    own = {name: value for name, value in os.environ.items() if name.startswith("SLIPWAY_")}
    return {
        **own,
        "PATH": "/usr/bin:/bin",
        "LANG": "C.UTF-8",
        "SLIPWAY_SLOT": slot,
        "SLIPWAY_DEPLOYMENT": str(folder / "deployment.json"),
        "SLIPWAY_MODELS": str(node.models),
        "SLIPWAY_RUN": str(node.run),
        "PYTHONPATH": f"{folder}/release/src:{folder}/release/lib",
        "PYTHONDONTWRITEBYTECODE": "1",
        "PYTHONUNBUFFERED": "1",
        "PYTHONNOUSERSITE": "1",
        "HOME": MEMORY,
        "MPLCONFIGDIR": MEMORY,
    }


def nginx(node: Node) -> Child:
    return Child(NGINX, {"PATH": "/usr/sbin:/usr/bin:/bin"}, node.run)

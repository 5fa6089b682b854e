"""Long-running programs of the local cloud: started here, ended with the daemon whatever happens to it.

Each asks the kernel to be killed when its parent dies. The kernel means the parent's *thread*, so all of them are
started by one thread that lives as long as the daemon; a controller's own short-lived thread would take them along.
"""

import os
import signal
import subprocess
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from localcloud.cgroup import Cgroup

_spawner = ThreadPoolExecutor(max_workers=1, thread_name_prefix="spawner")


class Process:
    """A program started by `spawn`, leader of a process group of its own."""

    def __init__(self, popen: subprocess.Popen[bytes], argv: Sequence[str]) -> None:
        self._popen = popen
        self.argv = list(argv)
        self.pid = popen.pid

    @property
    def alive(self) -> bool:
        return self._popen.poll() is None

    @property
    def returncode(self) -> int | None:
        """None while it runs; negative when a signal ended it."""
        return self._popen.poll()

    def wait(self, timeout_seconds: float | None = None) -> int | None:
        """Its exit status, or None when it still runs after `timeout_seconds`."""
        try:
            return self._popen.wait(timeout_seconds)
        except subprocess.TimeoutExpired:
            return None

    def send(self, number: signal.Signals) -> None:
        """To itself alone, and nothing when it has ended."""
        self._popen.send_signal(number)

    def terminate(self, timeout_seconds: float = 5) -> None:
        """SIGTERM to its whole group, and SIGKILL when it has not ended in time. Nothing when it has ended."""
        self._to_group(signal.SIGTERM)
        if self.wait(timeout_seconds) is None:
            self._to_group(signal.SIGKILL)
            self.wait()

    def _to_group(self, number: signal.Signals) -> None:
        if self.alive:
            os.killpg(self.pid, number)


def command(argv: Sequence[str | Path], *, cgroup: Cgroup | None = None, netns: str | None = None) -> list[str]:
    """`argv` wrapped so that the very process joins the group and the network namespace and dies with its parent.

    `ip netns exec` is no way in: it remounts /sys, and the control groups are gone.
    """
    words = ["setpriv", "--pdeathsig", "KILL", "--", *map(str, argv)]
    if netns:
        words = ["nsenter", f"--net=/run/netns/{netns}", "--", *words]
    return cgroup.enter(words) if cgroup else words


def spawn(
    argv: Sequence[str | Path],
    *,
    log: Path,
    cgroup: Cgroup | None = None,
    netns: str | None = None,
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
    pass_fds: Sequence[int] = (),
) -> Process:
    """Starts `argv` with its output appended to `log` and nothing on standard input. `env` adds to the environment.

    It inherits the descriptors `pass_fds`, under the same numbers.

    Raises `FileNotFoundError` when a wrapper is missing; a missing program itself shows as exit status 127 in the log.
    """
    words = command(argv, cgroup=cgroup, netns=netns)
    log.parent.mkdir(parents=True, exist_ok=True)

    def start() -> subprocess.Popen[bytes]:
        with log.open("ab") as output:
            return subprocess.Popen(
                words,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env={**os.environ, **(env or {})},
                cwd=cwd,
                start_new_session=True,
                pass_fds=pass_fds,
            )

    return Process(_spawner.submit(start).result(), words)

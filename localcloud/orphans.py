"""Processes that a killed `pulumi` left behind: its plugins, its language host and the program that it ran.

The engine gives each a process group of its own, and the program waits for an engine that is gone. They are known by
the stack's own Pulumi home in their environment and by their names, so that nobody else's are ever touched.
"""

import os
import signal
import time
from contextlib import suppress
from pathlib import Path

from localcloud.state import State, start_time

PROC = Path("/proc")
ENGINE = "pulumi"
PLUGINS = ("pulumi-language-", "pulumi-resource-")
KILL_SECONDS = 10


def orphans(state: State) -> set[int]:
    """Those of this checkout's stack that no living engine is above."""
    mark = f"PULUMI_HOME={state.slipway / 'pulumi-home'}\0".encode()
    found = set()
    for folder in PROC.glob("[0-9]*"):
        with suppress(FileNotFoundError, ProcessLookupError, PermissionError):
            pid = int(folder.name)
            words = (folder / "cmdline").read_bytes().split(b"\0")
            plugin = any(os.path.basename(word.decode(errors="replace")).startswith(PLUGINS) for word in words[:4])
            if plugin and mark in (folder / "environ").read_bytes() and not has_engine(pid):
                found.add(pid)
    return found


def is_engine(pid: int) -> bool:
    """Whether that process is a `pulumi` that runs."""
    try:
        return start_time(pid) != 0 and (PROC / str(pid) / "comm").read_text().strip() == ENGINE
    except (FileNotFoundError, ProcessLookupError):
        return False


def has_engine(pid: int) -> bool:
    """Whether an engine that runs is among the ancestors."""
    while pid > 1:
        if is_engine(pid):
            return True
        try:
            pid = int((PROC / str(pid) / "stat").read_text().rpartition(")")[2].split()[1])
        except (FileNotFoundError, ProcessLookupError):
            return False
    return False


def end(state: State) -> None:
    """Kills them. Raises `TimeoutError` when one is still there after a while."""
    deadline = time.monotonic() + KILL_SECONDS
    while pids := {pid for pid in orphans(state) if start_time(pid)}:
        if time.monotonic() > deadline:
            raise TimeoutError(f"processes {sorted(pids)} of a killed pulumi do not end")
        for pid in pids:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        time.sleep(0.02)

"""One control group per machine or database, on whichever kernel hierarchies this host has (v1, v2 or both).

Machines must not share a group: a service manager inside one finds and keeps processes by group, so that in a shared
one a killed service leaves orphans behind. A group is also how everything of a machine is ended for sure.
"""

import os
import signal
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

MOUNTS = Path("/proc/self/mounts")
# In version 1 a group weighs as much as one process outside any. Ours holds several machines' worth of them, and would
# starve beside a compiler; this is what they would weigh without groups.
CPU_SHARES = "8192"
JOIN = 'while [ "$1" != -- ]; do echo $$ > "$1" || exit 125; shift; done; shift; exec "$@"'


@dataclass(frozen=True)
class Hierarchy:
    """A mounted cgroup tree. `unified` is version 2, which beside version 1 trees carries no controllers."""

    mount: Path
    unified: bool
    controllers: frozenset[str]


def hierarchies(mounts: str | None = None) -> list[Hierarchy]:
    """The cgroup trees in `mounts` (text of /proc/self/mounts; this host's when None), each once."""
    found: dict[frozenset[str], Hierarchy] = {}
    for line in (MOUNTS.read_text() if mounts is None else mounts).splitlines():
        _, mount, kind, options, *_ = line.split()
        if kind == "cgroup2":
            found.setdefault(frozenset({"cgroup2"}), Hierarchy(Path(mount), True, frozenset()))
        elif kind == "cgroup":
            controllers = frozenset(options.split(",")) - {"rw", "ro", "nosuid", "nodev", "noexec", "relatime"}
            found.setdefault(controllers, Hierarchy(Path(mount), False, controllers))
    return list(found.values())


class Cgroup:
    """The group `path` (such as `slipway-0a1b2c/i-0123`) in every hierarchy. Nothing exists before `create`."""

    def __init__(self, path: str) -> None:
        self.path = path
        self.hierarchies = hierarchies()

    def exists(self) -> bool:
        return any((tree.mount / self.path).exists() for tree in self.hierarchies)

    def create(self) -> None:
        for tree in self.hierarchies:
            if tree.unified:
                self._delegate(tree)
            group = tree.mount / self.path
            group.mkdir(parents=True, exist_ok=True)
            if "cpuset" in tree.controllers:
                self._inherit_cpuset(tree)
            if "cpu" in tree.controllers:
                (tree.mount / Path(self.path).parts[0] / "cpu.shares").write_text(CPU_SHARES)

    def _delegate(self, tree: Hierarchy) -> None:
        """Version 2 offers a controller in a group only when every group above has it enabled for its children."""
        group = tree.mount
        for part in Path(self.path).parts:
            group.mkdir(exist_ok=True)
            available = (group / "cgroup.controllers").read_text().split()
            for controller in {"memory", "pids"} & set(available):
                (group / "cgroup.subtree_control").write_text(f"+{controller}")
            group = group / part

    def _inherit_cpuset(self, tree: Hierarchy) -> None:
        """A version 1 cpuset starts empty and admits no process until it has CPUs and memory nodes."""
        group = tree.mount
        for part in Path(self.path).parts:
            for name in ("cpuset.cpus", "cpuset.mems"):
                inherited = (group / name).read_text()
                if not (group / part / name).read_text().strip():
                    (group / part / name).write_text(inherited)
            group = group / part

    def enter(self, argv: Sequence[str | Path]) -> list[str]:
        """`argv` such that the process joins the group, and then becomes the program (same process id)."""
        files = [str(tree.mount / self.path / "cgroup.procs") for tree in self.hierarchies]
        return ["/bin/sh", "-c", JOIN, "cgroup-join", *files, "--", *map(str, argv)]

    def join(self) -> None:
        """Moves this very process, and what it starts from now on, into the group."""
        for tree in self.hierarchies:
            (tree.mount / self.path / "cgroup.procs").write_text(str(os.getpid()))

    def set_memory(self, limit_bytes: int) -> bool:
        """What all processes of the group may use together; past it the kernel ends one of them, as on a small VM.

        False when this host limits no memory.
        """
        names = ("memory.max", "memory.limit_in_bytes")
        files = [tree.mount / self.path / name for tree in self.hierarchies for name in names]
        limits = [file for file in files if file.exists()]
        for file in limits:
            file.write_text(str(limit_bytes))
        return bool(limits)

    def pids(self) -> set[int]:
        """Every process in the group and in the groups below it."""
        return {pid for group in self._groups() for pid in _processes(group)}

    def kill(self, timeout_seconds: float = 10) -> None:
        """Ends every process for sure. Raises `TimeoutError` when one is still there after `timeout_seconds`."""
        deadline = time.monotonic() + timeout_seconds
        while pids := self.pids():
            if time.monotonic() > deadline:
                raise TimeoutError(f"processes {sorted(pids)} of {self.path} do not end")
            for pid in pids:
                _signal(pid)
            time.sleep(0.02)

    def remove(self, timeout_seconds: float = 5) -> None:
        """Removes the empty group and all below it, if it exists. Raises `OSError` when it is busy."""
        deadline = time.monotonic() + timeout_seconds
        for group in self._groups():
            while group.exists():
                try:
                    group.rmdir()
                except OSError:
                    if time.monotonic() > deadline:
                        raise
                    time.sleep(0.02)

    def _groups(self) -> Iterator[Path]:
        """Its folders in every hierarchy, the deepest first."""
        for tree in self.hierarchies:
            for folder, _, _ in os.walk(tree.mount / self.path, topdown=False):
                yield Path(folder)


def _processes(group: Path) -> list[int]:
    try:
        return [int(pid) for pid in (group / "cgroup.procs").read_text().split() if pid != "0"]
    except OSError:
        return []


def _signal(pid: int) -> None:
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        return

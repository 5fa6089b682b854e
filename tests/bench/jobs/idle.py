"""Processes that run when nobody else wants to, as a worker of jobs does: of the class SCHED_IDLE, as its unit has it,
and in a control group with `cpu.idle`.

The class alone decides nothing here between processes of different sessions or control groups: Linux shares processors
among those first (https://man7.org/linux/man-pages/man7/sched.7.html, autogroup;
https://docs.kernel.org/admin-guide/cgroup-v2.html, cpu.idle).
"""

import os
import secrets
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress

from localcloud.cgroup import Cgroup
from ops.errors import UserError


@contextmanager
def idle_group() -> Iterator[Cgroup]:
    """What is in it must have ended when this does."""
    group = Cgroup(f"slipway-bench-{secrets.token_hex(3)}")
    group.create()
    try:
        set_idle(group, True)
        yield group
    finally:
        group.remove()


def set_idle(group: Cgroup, idle: bool) -> None:
    """For a group at the top, and all below it. Raises `UserError` where the kernel cannot."""
    found = False
    for tree in group.hierarchies:
        if tree.unified and "cpu" in (tree.mount / "cgroup.controllers").read_text().split():
            (tree.mount / "cgroup.subtree_control").write_text("+cpu")
        file = tree.mount / group.path / "cpu.idle"
        if file.exists():
            file.write_text(str(int(idle)))
            found = True
    if not found:
        raise UserError("no control group of this host can be idle", "use Linux 5.15 or later, with the cpu controller")


def move(pids: Iterable[int], group: Cgroup) -> None:
    for pid in pids:
        for tree in group.hierarchies:
            with suppress(ProcessLookupError):
                (tree.mount / group.path / "cgroup.procs").write_text(str(pid))


def set_idle_class(pids: Iterable[int]) -> None:
    """For every thread that a process has by now, and what those start."""
    for pid in pids:
        with suppress(FileNotFoundError, ProcessLookupError):
            for thread in os.listdir(f"/proc/{pid}/task"):
                os.sched_setscheduler(int(thread), os.SCHED_IDLE, os.sched_param(0))

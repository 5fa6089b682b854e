"""Whether this host can be a local cloud, each check with its remedy, before anything is half-made."""

import os
import platform
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from localcloud.cgroup import Cgroup
from localcloud.image import NEEDED_BYTES, Image
from localcloud.state import State
from ops.errors import UserError
from ops.run import run

PROGRAMS = {
    "mmdebstrap": "mmdebstrap",
    "systemd-nspawn": "systemd-container",
    "nft": "nftables",
    "ip": "iproute2",
    "nsenter": "util-linux",
    "setpriv": "util-linux",
    "unshare": "util-linux",
}
MACHINES = 6  # three of the stack, and their successors during a replacement
INOTIFY = Path("/proc/sys/fs/inotify/max_user_instances")
INOTIFY_EACH = 8
DISK_BYTES = 3 * 2**30
MEMORY_BYTES = 4 * 2**30


@dataclass(frozen=True)
class Check:
    """`remedy` is empty when all is well. A `fatal` one keeps the local cloud from starting."""

    name: str
    found: str
    remedy: str = ""
    fatal: bool = True


def checks(state: State) -> list[Check]:
    return [
        _root(),
        _system(),
        _programs(),
        _namespaces(),
        _overlay(),
        _nftables(),
        _control_groups(),
        _inotify(),
        _memory(),
        _disk("disk for machines", state.checkout, DISK_BYTES, fatal=False),
        *([] if Image().ready else [_disk("disk for the image", _existing(Image().cache), NEEDED_BYTES, fatal=True)]),
    ]


def require(state: State) -> None:
    """Raises `UserError` for the first check that keeps the local cloud from starting."""
    for check in checks(state):
        if check.remedy and check.fatal:
            raise UserError(f"this machine cannot run the local cloud: {check.name}: {check.found}", check.remedy)


def _root() -> Check:
    user = os.geteuid()
    return Check("root", "yes" if user == 0 else f"user id {user}", "" if user == 0 else "run it as root, or with sudo")


def _system() -> Check:
    found = f"{platform.system()} {platform.release()} {platform.machine()}"
    good = platform.system() == "Linux" and platform.machine() == "x86_64"
    return Check("system", found, "" if good else "use a Linux machine with an x86_64 processor")


def _programs() -> Check:
    missing = {package for program, package in PROGRAMS.items() if not shutil.which(program)}
    names = " ".join(sorted(missing))
    return Check("programs", f"missing: {names}" if missing else "all", f"apt-get install {names}" if missing else "")


def _attempt(name: str, argv: list[str], remedy: str) -> Check:
    """A feature of the kernel is best checked by using it, in a namespace that is gone right after."""
    if os.geteuid() != 0:
        return Check(name, "not checked without root", fatal=False)
    result = run(argv, check=False, timeout_seconds=20)
    said = (result.stderr.strip().splitlines() or [f"exit status {result.returncode}"])[-1]
    return Check(name, "works") if result.ok else Check(name, said, remedy)


def _namespaces() -> Check:
    return _attempt(
        "namespaces",
        [
            "unshare",
            "--net",
            "--mount",
            "--pid",
            "--uts",
            "--ipc",
            "--fork",
            "ip",
            "link",
            "add",
            "br0",
            "type",
            "bridge",
        ],
        "use a kernel with network namespaces and bridges, and no container that forbids them",
    )


def _overlay() -> Check:
    overlay = "mount -t overlay o -o lowerdir=l,upperdir=u,workdir=w m"
    script = f"mount -t tmpfs none /mnt; cd /mnt; mkdir l u w m; {overlay}"
    return _attempt("overlayfs", ["unshare", "--mount", "sh", "-ec", script], "modprobe overlay")


def _nftables() -> Check:
    rules = "add table ip t; add chain ip t c { type nat hook postrouting priority 0; }; add rule ip t c masquerade"
    return _attempt("nftables", ["unshare", "--net", "nft", rules], "modprobe nf_tables nft_masq nf_nat")


def _control_groups() -> Check:
    name, remedy = "control groups", "boot with cgroup_enable=memory; in a container, give it the host's /sys/fs/cgroup"
    if os.geteuid() != 0:
        return Check(name, "not checked without root", fatal=False)
    group = Cgroup(f"slipway-doctor-{os.getpid()}")
    try:
        group.create()
        limited = group.set_memory(MEMORY_BYTES)
    except OSError as error:
        return Check(name, str(error), remedy)
    finally:
        group.remove()
    return Check(name, "work") if limited else Check(name, "no memory controller", remedy)


def _inotify() -> Check:
    limit, needed = int(INOTIFY.read_text()), MACHINES * INOTIFY_EACH + 16
    remedy = "" if limit >= needed else "sysctl fs.inotify.max_user_instances=512"
    return Check("inotify instances", f"{limit} per user, {needed} needed", remedy)


def _memory() -> Check:
    total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    remedy = "" if total >= MEMORY_BYTES else f"use a machine with {MEMORY_BYTES >> 30} GiB, or a smaller fleet"
    return Check("memory", f"{total / 2**30:.1f} GiB", remedy, fatal=False)


def _disk(name: str, folder: Path, needed: int, *, fatal: bool) -> Check:
    free = shutil.disk_usage(folder).free
    remedy = "" if free >= needed else f"free some space: {needed >> 30} GiB are needed"
    return Check(name, f"{free / 2**30:.1f} GiB free at {folder}", remedy, fatal)


def _existing(folder: Path) -> Path:
    """The nearest folder above that exists: the file system that a new one would be on."""
    return next(parent for parent in (folder, *folder.parents) if parent.exists())


Say = Callable[[str], None]


def report(state: State, say: Say) -> bool:
    """Says every check, and returns whether the local cloud can start."""
    found = checks(state)
    for check in found:
        verdict = "ok  " if not check.remedy else "FAIL" if check.fatal else "warn"
        say(f"{verdict} {check.name:20} {check.found}" + (f"\n     -> {check.remedy}" if check.remedy else ""))
    return not any(check.remedy and check.fatal for check in found)

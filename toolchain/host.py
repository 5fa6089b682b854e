"""The machine: whether it can run Slipway, and the system packages that it lacks.

Only packages that are missing are installed, and their list is shown first; nothing else of the host is changed.
"""

import os
import platform
import shutil
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ops.errors import UserError
from ops.run import CommandError, run
from ops.steps import Step

OS_RELEASE = Path("/etc/os-release")
APT_LISTS = Path("/var/lib/apt/lists")
APT_ENV = {"DEBIAN_FRONTEND": "noninteractive", "LC_ALL": "C"}
APT_SECONDS = 1200
HANDED_ON = ("SLIPWAY_", "UV_", "PIP_", "PYTHON", "GOPROXY", "XDG_CACHE_HOME", "SSL_CERT_FILE", "TERM")
ADMINISTRATORS = ("/usr/local/sbin", "/usr/sbin", "/sbin")


@dataclass(frozen=True)
class Host:
    system: str
    machine: str
    distributions: frozenset[str]
    name: str
    root: bool
    sudo: bool

    @property
    def can_be_root(self) -> bool:
        return self.root or self.sudo


def this_host() -> Host:
    release = os_release(OS_RELEASE.read_text() if OS_RELEASE.exists() else "")
    return Host(
        system=platform.system(),
        machine=platform.machine(),
        distributions=frozenset([release.get("ID", ""), *release.get("ID_LIKE", "").split()]) - {""},
        name=release.get("PRETTY_NAME", "unknown distribution"),
        root=os.geteuid() == 0,
        sudo=may_sudo(),
    )


def search_path(*first: str | Path) -> str:
    """PATH, after `first`, with the folders of administrators' programs, which Debian gives to nobody but root."""
    return os.pathsep.join([*map(str, first), os.environ.get("PATH", os.defpath), *ADMINISTRATORS])


def may_sudo() -> bool:
    """Whether sudo lets this user in: at once, or after a password that somebody at the terminal can give."""
    if shutil.which("sudo") is None:
        return False
    return sys.stdin.isatty() or run(["sudo", "-n", "true"], check=False).ok


def os_release(text: str) -> dict[str, str]:
    """os-release(5) as a dict; quotes removed."""
    pairs = (line.split("=", 1) for line in text.splitlines() if "=" in line and not line.startswith("#"))
    return {key: value.strip("\"'") for key, value in pairs}


def check(host: Host) -> None:
    """Raises `UserError` for a machine that can run none of this."""
    if host.system != "Linux":
        raise UserError(f"{host.system}: this needs Linux", "use a Linux machine or a virtual machine")
    if host.machine != "x86_64":
        raise UserError(f"{host.machine}: this needs x86_64", "the pinned engine and node image are for x86_64 only")
    if not host.distributions & {"debian", "ubuntu"}:
        raise UserError(f"{host.name}: this needs Debian or Ubuntu", "packages come through apt; use such a machine")


def why_no_machines(host: Host) -> str:
    """Why this machine cannot run the local cloud's machines; empty when it can."""
    return "" if host.can_be_root else "neither root nor let in by sudo: machines, namespaces and mounts need it"


def handed_on() -> list[str]:
    """The names of the variables of this environment that work done as root needs too."""
    return [name for name in os.environ if name.startswith(HANDED_ON) or name.lower().endswith("_proxy")]


def as_root(host: Host, argv: Sequence[str | Path], keep: Sequence[str] = ()) -> list[str]:
    """`argv` through sudo when this is not root; `keep` names the environment variables to hand on."""
    words = [str(word) for word in argv]
    if host.root:
        return words
    if not host.sudo:
        raise UserError("not root, and not let in by sudo", "run it as root, or allow this user to use sudo")
    return ["sudo", *([f"--preserve-env={','.join(keep)}"] if keep else []), *words]


def missing_packages(wanted: Sequence[str]) -> list[str]:
    result = run(["dpkg-query", "-W", "-f", "${Package} ${db:Status-Status}\n", *wanted], check=False)
    return not_installed(wanted, result.stdout)


def not_installed(wanted: Sequence[str], listing: str) -> list[str]:
    """The packages of `wanted` that dpkg-query's `listing` does not call installed."""
    present = {words[0] for line in listing.splitlines() if (words := line.split()) and words[-1] == "installed"}
    return [package for package in wanted if package not in present]


def install(host: Host, packages: Sequence[str], step: Step) -> None:
    """Installs `packages`; refreshes apt's lists only when there are none, or when they prove too old."""
    if not host.can_be_root:
        raise UserError(
            f"missing system packages: {' '.join(packages)}; installing them needs root",
            f"run as root: apt-get install --no-install-recommends {' '.join(packages)}",
        )
    if not any(APT_LISTS.glob("*_Packages*")):
        _apt(host, ["update"], step)
    command = ["install", "--yes", "--no-install-recommends", *packages]
    try:
        _apt(host, command, step)
    except CommandError:
        _apt(host, ["update"], step)
        _apt(host, command, step)


def _apt(host: Host, words: Sequence[str], step: Step) -> None:
    step.say(f"apt-get {words[0]}")
    env = ["env", *(f"{key}={value}" for key, value in APT_ENV.items())]
    run(
        as_root(host, [*env, "apt-get", "-qq", "-o", "DPkg::Lock::Timeout=300", *words]),
        timeout_seconds=APT_SECONDS,
        hint="check the network and the disk; after an interrupted apt run `dpkg --configure -a`, then this again",
    )

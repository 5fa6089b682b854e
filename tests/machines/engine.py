"""A Docker engine of a test's own: Debian's packages in a root of the project's cache, in its own namespaces.

Nothing is installed or started on the host. Process 1 of the engine's process namespace asks to be killed with the
test, and with it goes every container, mount and network: what a killed test leaves is an empty control group and the
engine's folder, which the next start takes up. Images stay in that folder, by the engine's own cache of layers.
"""

import ctypes
import hashlib
import json
import os
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from localcloud import recipe
from localcloud.cgroup import Cgroup
from localcloud.image import ENTER, Image, Progress
from localcloud.process import Process, spawn
from ops import cache
from ops.lock import exclusive
from ops.run import Result, run
from tests.waiting import until

PACKAGES = ["ca-certificates", "docker-compose", "docker.io", "iproute2", "iptables", "procps", "tini"]
CLONE_NEWNET = 0x40000000
START_SECONDS = 60
GROUP = "slipway-engine"
SOCKET = "/run/docker.sock"
DATA = "/data"
START = """
ip link set lo up
exec tini -g -- dockerd "$@"
"""
# The engine's root must be that of its mount namespace, or whoever later enters a container's namespace, as its health
# checks do, would find itself in the root that the namespace began with: this host's.
ENTER_AS_ROOT = ENTER.replace(
    'exec chroot "$root" "$@"',
    'cd "$root"; mkdir -p host; pivot_root . host; cd /; umount --lazy /host; exec "$@"',
)


class EngineImage(Image):
    """Debian's engine and its classic docker-compose, as the root of the local cloud is made."""

    def __init__(self) -> None:
        super().__init__(cache.folder("engine"))
        parts = [recipe.SUITE, PACKAGES, recipe.LEAN, recipe.sources()]
        self.digest = hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:12]
        self.folder = self.cache / self.digest
        self.root = self.folder / "root"

    def _bootstrap(self, building: Path, progress: Progress) -> None:
        progress("fetching Debian's engine")
        argv = ["mmdebstrap", "--variant=minbase", "--mode=root", f"--include={','.join(PACKAGES)}"]
        argv += [f"--aptopt={option}" for option in recipe.apt_options()]
        argv += [f"--dpkgopt=path-exclude={path}" for path in recipe.LEAN]
        argv += [recipe.SUITE, str(building / "root"), *recipe.sources()]
        run(["unshare", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc", "--", *argv], timeout_seconds=900)


class Engine:
    """`folders` of the host are seen by the engine's programs at their own paths."""

    def __init__(self, image: EngineImage, log: Path, folders: Sequence[Path]) -> None:
        self.image, self.log = image, log
        self.folders = folders
        self.data = image.folder / "data"
        self.cgroup = Cgroup(GROUP)
        self._process: Process | None = None

    def start(self) -> None:
        self.cgroup.kill()
        self.cgroup.remove()
        self.cgroup.create()
        self.data.mkdir(exist_ok=True)
        binds = {self.data: DATA, **{folder: str(folder) for folder in self.folders}}
        options = [f"--data-root={DATA}", f"--host=unix://{SOCKET}", f"--cgroup-parent=/{GROUP}/containers"]
        options += ["--storage-driver=overlay2", "--log-level=warn"]
        inside = self.image.command(["/bin/sh", "-ec", START, "engine", *options], binds)
        assert ENTER_AS_ROOT != ENTER
        inside = [ENTER_AS_ROOT if word == ENTER else word for word in inside]
        spaces = ["unshare", "--net", "--ipc", "--uts", "--pid", "--fork", "--kill-child", "--"]
        self._process = spawn([*spaces, *inside], log=self.log, cgroup=self.cgroup)
        until(self._answers, lambda: f"the engine does not start:\n{self.log.read_text()[-2000:]}", START_SECONDS)
        self.clear()

    def _answers(self) -> bool:
        assert self._process is not None
        assert self._process.alive, f"the engine ended:\n{self.log.read_text()[-2000:]}"
        return bool(self._init()) and self.run("docker", "version", check=False).ok

    def clear(self) -> None:
        """Every container, volume and network that an earlier run has left goes; images stay."""
        if left := self.run("docker", "ps", "--all", "--quiet").stdout.split():
            self.run("docker", "rm", "--force", "--volumes", *left)
        for kind in ("volume", "network"):
            self.run("docker", kind, "prune", "--force")
        if left := self.run("docker", "volume", "ls", "--quiet").stdout.split():
            self.run("docker", "volume", "rm", "--force", *left)

    def stop(self) -> None:
        """Everything that runs in it ends at once."""
        if self._process:
            self._process.terminate(timeout_seconds=0.1)
        self.cgroup.kill()
        self.cgroup.remove()

    def _init(self) -> int | None:
        """Process 1 of its namespace, by this host's number."""
        children = Path(f"/proc/{self._process.pid}/task/{self._process.pid}/children") if self._process else None
        found = children.read_text().split() if children and children.exists() else []
        return int(found[0]) if found else None

    def argv(self, *words: str | Path, cwd: Path | None = None, env: Mapping[str, str] | None = None) -> list[str]:
        enter = ["nsenter", f"--target={self._init()}", "--mount", "--net", "--pid", "--uts", "--ipc", "--root"]
        settings = [
            f"DOCKER_HOST=unix://{SOCKET}",
            "DOCKER_BUILDKIT=0",
            "PATH=/usr/sbin:/usr/bin:/sbin:/bin",
            "HOME=/root",
        ]
        settings += [f"{name}={value}" for name, value in (env or {}).items()]
        place = ["--chdir", str(cwd)] if cwd else []
        return [*enter, "--", "/usr/bin/env", "-i", *place, *settings, *map(str, words)]

    def run(
        self,
        *words: str | Path,
        cwd: Path | None = None,
        env: Mapping[str, str] | None = None,
        check: bool = True,
        seconds: float = 300,
    ) -> Result:
        """A program of the engine's root."""
        return run(self.argv(*words, cwd=cwd, env=env), check=check, timeout_seconds=seconds)

    def base(self, root: Path, name: str) -> None:
        """An image of a root, unless it is there: `docker import`, as no registry can be reached."""
        if self.run("docker", "image", "inspect", name, check=False).ok:
            return
        tar = [
            "tar",
            "--create",
            "--one-file-system",
            "--directory",
            str(root),
            "--exclude=./dev/*",
            "--exclude=./boot",
            ".",
        ]
        with subprocess.Popen(tar, stdout=subprocess.PIPE) as packing:
            done = subprocess.run(self.argv("docker", "import", "-", name), stdin=packing.stdout, check=False)
        assert (packing.returncode, done.returncode) == (0, 0), f"docker import of {root} failed"

    @contextmanager
    def entered(self) -> Iterator[None]:
        """This thread, and what it starts, has the engine's network: what containers publish is on its loopback."""
        libc = ctypes.CDLL(None, use_errno=True)
        own = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
        theirs = os.open(f"/proc/{self._init()}/ns/net", os.O_RDONLY)
        try:
            assert libc.setns(theirs, CLONE_NEWNET) == 0, os.strerror(ctypes.get_errno())
            yield
        finally:
            assert libc.setns(own, CLONE_NEWNET) == 0, os.strerror(ctypes.get_errno())
            os.close(own)
            os.close(theirs)


@contextmanager
def engine(log: Path, folders: Sequence[Path]) -> Iterator[Engine]:
    """One at a time on this machine, for its images lie in one folder."""
    image = EngineImage()
    image.ensure(print)
    with exclusive(image.folder / "engine.lock", "a test's engine", waiting=print), image.held():
        found = Engine(image, log, folders)
        try:
            found.start()
            yield found
        finally:
            found.stop()

"""The Debian 12 root that every machine starts from, built once per recipe and never written to again.

It lies outside the checkout, in the user's cache, so that a second checkout or a fresh one finds it. A build happens in
a folder beside its final place and is renamed there at the very end: what has the right name is whole.
"""

import fcntl
import re
import shutil
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from localcloud import recipe
from localcloud.process import Process, spawn
from ops.cache import folder, used
from ops.errors import UserError

Progress = Callable[[str], None]

USED = "used"  # a file beside the root: whoever runs from the image has a shared lock on it
NEEDED_BYTES = 2 * 2**30
NO_SPACE = re.compile(r".*no space left on device.*", re.IGNORECASE)
NO_NETWORK = re.compile(
    r".*(temporary failure resolving|could not resolve|could not connect|unable to connect"
    r"|connection (?:timed out|refused)|network is unreachable|failed to fetch|certificate verification failed).*",
    re.IGNORECASE,
)
# The image under a writable layer of memory, in a mount namespace of its own: programs may create what they like
# outside `binds`, nothing of it stays, and the mounts go with the process.
ENTER = """
scratch=$1 root=$2; shift 2
mount -t tmpfs -o mode=755 tmpfs "$scratch"
mkdir "$scratch/upper" "$scratch/work" "$scratch/root"
mount -t overlay overlay -o "lowerdir=$root,upperdir=$scratch/upper,workdir=$scratch/work" "$scratch/root"
root=$scratch/root
for folder in dev sys; do mount --rbind "/$folder" "$root/$folder"; done
mount -t proc proc "$root/proc"
for folder in run tmp; do mount -t tmpfs -o mode=1777 tmpfs "$root/$folder"; done
while [ "$1" != -- ]; do
  if [ -d "$1" ]; then mkdir -p "$root$2"; else mkdir -p "$(dirname "$root$2")"; touch "$root$2"; fi
  mount --rbind "$1" "$root$2"
  shift 2
done
shift
exec chroot "$root" "$@"
"""


class Image:
    """The image of the present recipe. `root` is its folder, which exists once `ensure` has returned."""

    def __init__(self, cache: Path | None = None) -> None:
        self.cache = cache or folder("image")
        self.digest = recipe.digest()
        self.folder = self.cache / self.digest
        self.root = self.folder / "root"

    @property
    def ready(self) -> bool:
        return self.root.is_dir()

    def ensure(self, progress: Progress) -> Path:
        """Builds the image unless it is there (a minute or two). Returns `root`.

        Raises `UserError` when the disk is full, Debian cannot be reached, or mmdebstrap fails; nothing stays behind.
        """
        if not self.ready:
            with self._lock(progress):
                if not self.ready:
                    self._build(progress)
                    prune(self.cache, self.digest)
        used(self.folder)
        return self.root

    @contextmanager
    def held(self) -> Iterator[None]:
        """Keeps the image from being pruned by the build of another, for as long as this lasts."""
        with (self.folder / USED).open("w") as used:
            fcntl.flock(used, fcntl.LOCK_SH)
            yield

    def command(
        self,
        argv: Sequence[str | Path],
        binds: Mapping[Path, str] | None = None,
        netns: str | None = None,
        user: str = "root",
    ) -> list[str]:
        """`argv` such that it runs from the image, as its own files and no service, in the network of `netns`.

        `binds` maps folders and files of the host to paths in the image, writable and created there as needed. `user`
        is one of the image's. The process stays the same from `spawn` to the program itself.
        """
        words = ["unshare", "--mount", "--propagation", "slave", "--", "/bin/sh", "-ec", ENTER, "image"]
        words += [str(self.folder / "scratch"), str(self.root)]
        for outside, inside in (binds or {}).items():
            words += [str(outside), inside]
        if netns:
            words = ["nsenter", f"--net=/run/netns/{netns}", "--", *words]
        # Changing the user clears the wish to die with the parent, which `spawn` made: it is made again.
        become = ["--reuid", user, "--regid", user, "--init-groups"] if user != "root" else []
        return [*words, "--", "/usr/bin/setpriv", *become, "--pdeathsig", "KILL", "--", *map(str, argv)]

    @contextmanager
    def _lock(self, progress: Progress) -> Iterator[None]:
        """One builder at a time; the kernel lets go of it when its holder dies."""
        self.cache.mkdir(parents=True, exist_ok=True)
        with (self.cache / "lock").open("w") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                progress("another process is building the image; waiting for it")
                fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    def _build(self, progress: Progress) -> None:
        free = shutil.disk_usage(self.cache).free
        if free < NEEDED_BYTES:
            raise _disk_full(self.cache, f"{free >> 20} MiB are free, {NEEDED_BYTES >> 20} MiB are needed")
        building = self.cache / "building"
        _remove(building)
        try:
            _write_files(building / "files")
            (building / "scratch").mkdir()
            self._bootstrap(building, progress)
            shutil.rmtree(building / "files")
            building.replace(self.folder)
        finally:
            _remove(building)

    def _bootstrap(self, building: Path, progress: Progress) -> None:
        log = self.cache / "build.log"
        log.write_text("")
        argv = ["unshare", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc", "--"]
        process = spawn([*argv, *recipe.build_argv(building / "files", building / "root")], log=log)
        try:
            _follow(process, log, progress)
        finally:
            process.terminate()
        if process.returncode != 0:
            raise self._explain(log.read_text(errors="replace"))

    def _explain(self, output: str) -> UserError:
        if found := NO_SPACE.search(output):
            return _disk_full(self.cache, found.group().strip())
        if found := NO_NETWORK.search(output):
            hint = "check the network, or set SLIPWAY_DEBIAN_MIRROR to a Debian mirror that this machine reaches"
            return UserError(f"cannot fetch Debian's packages: {found.group().strip()}", hint)
        last = "\n".join(f"  | {line}" for line in output.splitlines()[-20:])
        return UserError(f"mmdebstrap could not make the image:\n{last}", f"see {self.cache}/build.log")


def prune(cache: Path, digest: str) -> None:
    """Removes images of other recipes but for the one used last, and their databases' templates. None in use is."""
    others = [place.parent for place in cache.glob("*/root") if place.parent.name not in {digest, "building"}]
    for other in sorted(others, key=lambda each: each.stat().st_mtime, reverse=True)[1:]:
        with (other / USED).open("w") as used:
            try:
                fcntl.flock(used, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                continue
            shutil.rmtree(other)
            shutil.rmtree(cache.parent / "postgres" / other.name, ignore_errors=True)


def _write_files(folder: Path) -> None:
    for name, text in recipe.FILES.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    if recipe.CERTIFICATES.exists():  # a network that inspects TLS has a CA of its own, which nodes must trust too
        path = folder / recipe.CERTIFICATES.relative_to("/")
        path.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(recipe.CERTIFICATES, path)


def _follow(process: Process, log: Path, progress: Progress) -> None:
    """Passes on mmdebstrap's own steps (`I: …`) while it runs."""
    with log.open(errors="replace") as lines:
        while process.alive:
            for line in lines:
                if line.startswith("I: "):
                    progress(f"image: {line[3:].strip()}")
            time.sleep(0.2)


def _remove(folder: Path) -> None:
    if folder.exists():
        shutil.rmtree(folder)


def _disk_full(folder: Path, detail: str) -> UserError:
    hint = "free some space, or point SLIPWAY_CACHE at a larger disk"
    return UserError(f"no space for the image in {folder}: {detail}", hint)

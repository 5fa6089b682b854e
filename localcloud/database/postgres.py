"""One PostgreSQL: its folder, its network namespace, its control group and its process.

It runs as the image's unprivileged `postgres`, alone at the database's private address. The superuser is reached only
through a socket in its folder, which is how RDS's own administrator keeps apart from the master user.
"""

import fcntl
import os
import shutil
import signal
import time
from collections.abc import Sequence
from ipaddress import IPv4Interface
from pathlib import Path

from localcloud.cgroup import Cgroup
from localcloud.database import config
from localcloud.database.ca import issue, write_secret
from localcloud.image import Image
from localcloud.model import Database
from localcloud.network import Network
from localcloud.process import Process, spawn
from localcloud.state import State
from ops.errors import UserError
from ops.run import run

USER = "postgres"
START_SECONDS = 60
STOP_SECONDS = 5


class Postgres:
    def __init__(self, record: Database, network: Network, image: Image, state: State) -> None:
        self._record = record
        self._network, self._image, self._state = network, image, state
        self._folder = state.database(record.id)
        self._log = state.log(f"database-{record.id}")
        self._cgroup = Cgroup(f"{network.netns}/db-{record.id}")
        self._process: Process | None = None

    @property
    def alive(self) -> bool:
        return self._process is not None and self._process.alive

    def create(self, user: str, password: str) -> None:
        """Empty data, the master user and the database: what CreateDBInstance promises. Returns when it can be used."""
        self._prepare()
        address = IPv4Interface((self._record.address, self._record.subnet_cidr.prefixlen))
        self._network.detach(self._record.id)
        self._network.attach(self._record.id, address)
        self._cgroup.create()
        self._cgroup.set_memory(self._record.memory_mib << 20)
        self.start()
        self.sql(config.create_master(user, password, self._record.database))

    def start(self) -> None:
        """Returns when it answers. Raises `UserError` when it does not within a minute."""
        netns = f"{self._network.netns}-{self._record.id}"
        (self._folder / "data" / "postmaster.pid").unlink(missing_ok=True)
        self._process = spawn(self._inside(config.postgres()), log=self._log, cgroup=self._cgroup, netns=netns)
        deadline = time.monotonic() + START_SECONDS
        while not self._answers():
            if not self.alive or time.monotonic() > deadline:
                raise UserError(f"database {self._record.id} does not start", f"its log is {self._log}")
            time.sleep(0.1)

    def set_password(self, user: str, password: str) -> None:
        self.sql(config.set_password(user, password) + "\n")

    def sql(self, text: str) -> str:
        """What the superuser's statements print. Raises `CommandError`."""
        return run(self._inside(config.psql(self._record.port)), input=text, timeout_seconds=30).stdout

    def stop(self) -> None:
        """Ends it without waiting for its clients, which SIGTERM would; the data stay."""
        if self._process:
            self._process.send(signal.SIGINT)
            self._process.wait(STOP_SECONDS)
            self._process.terminate()
        self._cgroup.kill()

    def remove(self) -> None:
        """Ends it and leaves nothing behind."""
        self.stop()
        self._cgroup.remove()
        self._network.detach(self._record.id)
        shutil.rmtree(self._folder, ignore_errors=True)

    def _inside(self, argv: Sequence[str]) -> list[str]:
        return self._image.command(argv, binds={self._folder: config.DATA}, user=USER)

    def _answers(self) -> bool:
        words = self._inside(config.psql(self._record.port))
        return run(words, input="SELECT 1;", timeout_seconds=30, check=False).ok

    def _prepare(self) -> None:
        shutil.rmtree(self._folder, ignore_errors=True)
        self._folder.mkdir(mode=0o700, parents=True)
        run(["cp", "-a", "--reflink=auto", template(self._image), self._folder / "data"])
        certificate, key = issue(self._state, self._record.host)
        files = {
            "postgresql.conf": config.settings(self._record.address, self._record.port).encode(),
            "pg_hba.conf": config.HBA.encode(),
            "pg_ident.conf": config.IDENT.encode(),
            "server.crt": certificate,
            "server.key": key,
        }
        owner = _owner(self._image)
        for name, content in files.items():
            write_secret(self._folder / name, content)
            os.chown(self._folder / name, *owner)
        os.chown(self._folder, *owner)


def template(image: Image) -> Path:
    """An empty data folder, made once for an image: initdb takes seconds, a copy does not."""
    folder = image.cache.parent / "postgres" / image.digest
    if folder.exists():
        return folder
    folder.parent.mkdir(parents=True, exist_ok=True)
    with (folder.parent / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not folder.exists():
            building = folder.parent / "building"
            shutil.rmtree(building, ignore_errors=True)
            building.mkdir(mode=0o700)
            os.chown(building, *_owner(image))
            run(image.command(config.initdb(), binds={building: config.DATA}, user=USER))
            (building / "data").rename(folder)
            building.rmdir()
    return folder


def _owner(image: Image) -> tuple[int, int]:
    """The image's own numbers for the user; the host's may differ."""
    for line in (image.root / "etc/passwd").read_text().splitlines():
        name, _, uid, gid, *_ = line.split(":")
        if name == USER:
            return int(uid), int(gid)
    raise UserError(f"the image has no user {USER}", "it must hold postgresql-15")

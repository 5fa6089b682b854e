"""RabbitMQ for tests: the image's own, in a network namespace and a control group of its own, TLS only.

Its folder outlives the process, as a disk outlives a reboot; `lose` takes the disk as well.
"""

import os
import secrets
import shutil
import signal
from ipaddress import IPv4Interface
from pathlib import Path

from localcloud.cgroup import Cgroup
from localcloud.database.ca import ca_path, issue, write_secret
from localcloud.image import Image
from localcloud.process import Process, spawn
from tests.machines.services import Lab
from tests.waiting import until

HOST = "broker.local"
ADDRESS = IPv4Interface("10.0.3.9/24")
PORT = 5671
VHOST = "slipway"
USER, UID = "daemon", 1  # one of Debian's own: the package's user is made by its installation
INSIDE = "/var/lib/slipway-broker"
PROGRAM = "usr/lib/rabbitmq/lib/rabbitmq_server-*/sbin/rabbitmq-server"  # Debian's own wrapper wants its own user

CONFIG = f"""\
listeners.tcp = none
listeners.ssl.default = {PORT}
ssl_options.certfile = {INSIDE}/server.crt
ssl_options.keyfile = {INSIDE}/server.key
ssl_options.verify = verify_none
ssl_options.fail_if_no_peer_cert = false
default_vhost = {VHOST}
default_user = tests
default_pass = {{password}}
loopback_users = none
vm_memory_high_watermark.absolute = 400MB
disk_free_limit.absolute = 50MB
log.console = true
log.file = false
"""


class Broker:
    def __init__(self, lab: Lab) -> None:
        self._lab, self._image = lab, Image()
        self.folder = lab.state.folder / "broker"
        self.log = lab.state.log("broker")
        self.password = secrets.token_urlsafe(12)
        self._netns = lab.attach("broker", str(ADDRESS))
        self._cgroup = Cgroup(f"{lab.network.netns}/broker")
        self._process: Process | None = None
        self._cgroup.create()
        self._prepare()

    @property
    def url(self) -> str:
        return f"amqps://tests:{self.password}@{ADDRESS.ip}:{PORT}/{VHOST}"

    @property
    def ca(self) -> Path:
        return ca_path(self._lab.state)

    def start(self) -> None:
        """Returns when it answers."""
        before = self._started()
        env = {
            "HOME": INSIDE,
            "RABBITMQ_NODENAME": "slipway@localhost",
            "RABBITMQ_CONFIG_FILE": f"{INSIDE}/rabbitmq.conf",
            "RABBITMQ_ENABLED_PLUGINS_FILE": f"{INSIDE}/enabled_plugins",
            "RABBITMQ_MNESIA_BASE": f"{INSIDE}/mnesia",
            "RABBITMQ_LOG_BASE": f"{INSIDE}/log",
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "+sbwt none +sbwtdcpu none +sbwtdio none",
        }
        (program,) = self._image.root.glob(PROGRAM)
        words = self._image.command(
            [f"/{program.relative_to(self._image.root)}"], binds={self.folder: INSIDE}, user=USER
        )
        self._process = spawn(words, log=self.log, cgroup=self._cgroup, netns=self._netns, env=env)

        def up() -> bool:
            assert self._process is not None
            assert self._process.alive, self.log.read_text()[-3000:]
            return self._started() > before

        until(up, lambda: f"RabbitMQ answers\n{self.log.read_text()[-3000:]}", 240)

    def stop(self) -> None:
        """As a machine that is switched off."""
        if self._process:
            self._process.send(signal.SIGKILL)
            self._process.wait(10)
        self._cgroup.kill()

    def lose(self) -> None:
        """Its disk with all messages; what comes back is empty."""
        self.stop()
        shutil.rmtree(self.folder / "mnesia")

    def remove(self) -> None:
        self.stop()
        self._cgroup.remove()

    def _started(self) -> int:
        return self.log.read_text().count("Server startup complete") if self.log.exists() else 0

    def _prepare(self) -> None:
        self.folder.mkdir(mode=0o700)
        certificate, key = issue(self._lab.state, HOST)
        files = {
            "rabbitmq.conf": CONFIG.format(password=self.password).encode(),
            "enabled_plugins": b"[].\n",
            "server.crt": certificate,
            "server.key": key,
        }
        for name, content in files.items():
            write_secret(self.folder / name, content)
            os.chown(self.folder / name, UID, UID)
        os.chown(self.folder, UID, UID)

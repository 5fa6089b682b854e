"""The broker's node: RabbitMQ's key, certificate and login before it starts, and its announcement once it answers.

All of that lies on a tmpfs and is new at every boot of the node. RabbitMQ takes user and virtual host from a file of
definitions, and with one it makes no user `guest` and asks no second process of Erlang, which is a second each.
"""

import base64
import hashlib
import json
import secrets
import shutil
import socket
import ssl
import subprocess
from pathlib import Path
from typing import Any

from contract import PATHS, PORTS
from ops import private
from ops.errors import UserError
from ops.own_address import own_address

FOLDER = Path(PATHS.broker)
RABBITMQ = "rabbitmq"  # the package's own user
COOKIE = Path("/var/lib/rabbitmq/.erlang.cookie")  # an image holds none, or all its machines had the same
USERNAME = "slipway-jobs"
VHOST = "slipway"
TAG = "monitoring"  # it may look at the pages that an operator tunnels to, and change nothing there
DAYS = 3650
CONNECT_SECONDS = 10
OPENSSL = [
    *["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-batch"],
    *["-days", str(DAYS), "-subj", "/CN=slipway-broker"],
]


def prepare(folder: Path = FOLDER) -> bool:
    """Makes what RabbitMQ starts from, unless this boot has made it. Whether it has."""
    if (folder / "login.json").exists():
        return False
    folder.mkdir(mode=0o750, exist_ok=True)
    shutil.chown(folder, "root", RABBITMQ)
    if not COOKIE.exists():
        private.write(COOKIE, secrets.token_urlsafe(32), owner=RABBITMQ, group=RABBITMQ, mode=0o400)
    own = own_address()
    key, certificate = folder / "key.pem", folder / "certificate.pem"
    made = [*OPENSSL, "-addext", f"subjectAltName=IP:{own}", "-keyout", str(key), "-out", str(certificate)]
    subprocess.run(made, check=True, capture_output=True, umask=0o077)
    for file in (key, certificate):
        shutil.chown(file, "root", RABBITMQ)
        file.chmod(0o640)
    password = secrets.token_urlsafe(32)
    private.write(folder / "definitions.json", json.dumps(definitions(password)), group=RABBITMQ, mode=0o640)
    login = {"username": USERNAME, "password": password, "ca": certificate.read_text()}
    private.write(folder / "login.json", json.dumps(login))
    return True


def definitions(password: str) -> dict[str, Any]:
    """One virtual host, and one user, who may do everything in it and nothing else."""
    user = {
        "name": USERNAME,
        "password_hash": hashed(password, secrets.token_bytes(4)),
        "hashing_algorithm": "rabbit_password_hashing_sha256",
        "tags": TAG,
    }
    grants = {"user": USERNAME, "vhost": VHOST, "configure": ".*", "write": ".*", "read": ".*"}
    return {"users": [user], "vhosts": [{"name": VHOST}], "permissions": [grants]}


def hashed(password: str, salt: bytes) -> str:
    """https://www.rabbitmq.com/docs/passwords#computing-password-hash"""
    return base64.b64encode(salt + hashlib.sha256(salt + password.encode()).digest()).decode()


def login(folder: Path = FOLDER) -> dict[str, str]:
    """What others log in with: username, password, and the authority that they know the broker by."""
    found: dict[str, str] = json.loads((folder / "login.json").read_text())
    return found


def require_answer(own: str, ca: str) -> None:
    """Raises `UserError` unless RabbitMQ answers at the address, as others will see it."""
    context = ssl.create_default_context(cadata=ca)
    try:
        with (
            socket.create_connection((own, PORTS.broker), CONNECT_SECONDS) as plain,
            context.wrap_socket(plain, server_hostname=own),
        ):
            return
    except OSError as error:
        raise UserError(
            f"RabbitMQ does not answer at {own}:{PORTS.broker}: {error}", "see `journalctl -u rabbitmq-server`"
        ) from None

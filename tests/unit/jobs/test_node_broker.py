"""What RabbitMQ starts from, as it is made on the broker's node."""

import base64
import hashlib
import json
import shutil
import socket
import ssl
import stat
import threading
from pathlib import Path

import pytest

from contract import PORTS
from jobs.node import broker
from ops.errors import UserError


@pytest.fixture
def made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The files of a boot, owned by whoever runs this."""
    folder = tmp_path / "broker"
    monkeypatch.setattr(broker, "COOKIE", tmp_path / "cookie")
    monkeypatch.setattr(shutil, "chown", lambda *_: None)
    monkeypatch.setattr(broker, "own_address", lambda: "127.0.0.1")
    assert broker.prepare(folder)
    return folder


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_a_boot_makes_keys_once_and_keeps_them(made: Path) -> None:
    before = {path.name: path.read_bytes() for path in made.iterdir()}
    assert not broker.prepare(made), "RabbitMQ that is started again keeps what others log in with"
    assert {path.name: path.read_bytes() for path in made.iterdir()} == before


def test_another_boot_makes_others(made: Path, tmp_path: Path) -> None:
    cookie = (tmp_path / "cookie").read_text()
    assert broker.prepare(tmp_path / "again")
    assert broker.login(made)["password"] != broker.login(tmp_path / "again")["password"]
    assert (tmp_path / "cookie").read_text() == cookie, "that one lies on the disk, beside what it opens"


def test_nobody_but_the_broker_reads_them(made: Path, tmp_path: Path) -> None:
    assert mode(made) == 0o750
    for name in ("key.pem", "certificate.pem", "definitions.json"):
        assert mode(made / name) == 0o640, name
    assert mode(made / "login.json") == 0o600
    assert mode(tmp_path / "cookie") == 0o400


def test_the_definitions_hold_a_hash_that_fits_and_no_password(made: Path) -> None:
    login = broker.login(made)
    text = (made / "definitions.json").read_text()
    assert login["password"] not in text
    (user,) = json.loads(text)["users"]
    stored = base64.b64decode(user["password_hash"])
    assert stored[4:] == hashlib.sha256(stored[:4] + login["password"].encode()).digest()
    assert user["name"] == login["username"] != "guest"


def test_its_user_may_everything_in_one_virtual_host_and_nothing_besides(made: Path) -> None:
    held = json.loads((made / "definitions.json").read_text())
    assert [host["name"] for host in held["vhosts"]] == ["slipway"]
    (grant,) = held["permissions"]
    assert (grant["vhost"], grant["user"]) == ("slipway", held["users"][0]["name"])
    assert held["users"][0]["tags"] == "monitoring"


def test_a_client_knows_the_broker_by_its_address_and_its_own_authority(made: Path) -> None:
    """As RabbitMQ would show it: the certificate names the address, and vouches for itself."""
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(made / "certificate.pem", made / "key.pem")
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen()
        listening.settimeout(10)
        port = listening.getsockname()[1]
        threads = [threading.Thread(target=_answer, args=(server, listening)) for _ in range(2)]
        for thread in threads:
            thread.start()
        client = ssl.create_default_context(cadata=broker.login(made)["ca"])
        with socket.create_connection(("127.0.0.1", port), 10) as plain:
            client.wrap_socket(plain, server_hostname="127.0.0.1").close()
        with (
            socket.create_connection(("127.0.0.1", port), 10) as plain,
            pytest.raises(ssl.SSLCertVerificationError, match="IP address mismatch"),
        ):
            client.wrap_socket(plain, server_hostname="10.0.0.1")
        for thread in threads:
            thread.join(10)


def _answer(server: ssl.SSLContext, listening: socket.socket) -> None:
    plain, _ = listening.accept()
    try:
        server.wrap_socket(plain, server_side=True).close()
    except OSError:
        plain.close()


def test_a_broker_that_does_not_answer_is_one_clear_line(made: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))  # taken, and not listened at
        port = nobody.getsockname()[1]
        monkeypatch.setattr(broker, "PORTS", type(PORTS)(**{**vars(PORTS), "broker": port}))
        with pytest.raises(UserError, match=rf"RabbitMQ does not answer at 127.0.0.1:{port}: .*refused"):
            broker.require_answer("127.0.0.1", broker.login(made)["ca"])

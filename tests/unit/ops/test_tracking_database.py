"""MLflow's database as the tracking node sees it while it is away."""

import socket

import pytest

from ops.errors import UserError
from ops.tracking import database


def refused(host: str, port: int) -> str:
    server = database.Server(host=host, port=port, ca="/dev/null")
    with pytest.raises(UserError) as error:
        database.ensure_role(server, "password-of-the-role", lambda: ("slipway", "password-of-the-master", "slipway"))
    return error.value.message


def test_a_database_that_refuses_connections_is_one_line_with_address_user_and_reason() -> None:
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))  # taken, and not listened at
        port = nobody.getsockname()[1]
        said = refused("127.0.0.1", port)
    assert said.startswith(f"database 127.0.0.1:{port} cannot be reached as slipway: ")
    assert said.endswith("Connection refused")
    assert len(said.splitlines()) == 1
    assert "password-of" not in said


def test_a_database_without_an_address_is_said_to_have_none() -> None:
    assert "failed to resolve host 'nowhere.invalid'" in refused("nowhere.invalid", 5432)

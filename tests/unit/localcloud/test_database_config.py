"""What PostgreSQL is told, and the certificate authority."""

import ssl
from ipaddress import IPv4Address
from pathlib import Path

import pytest
from cryptography import x509

from localcloud.database import ca_path, config
from localcloud.database.ca import issue
from localcloud.state import State


def test_only_tls_with_a_password_gets_in_over_the_network() -> None:
    over_network = [line.split() for line in config.HBA.splitlines() if not line.startswith("local")]
    assert over_network == [["hostssl", "all", "all", "all", "scram-sha-256"]]


def test_it_listens_at_its_private_address_alone() -> None:
    assert "listen_addresses = '10.0.3.4'\n" in config.settings(IPv4Address("10.0.3.4"), 5432)


@pytest.mark.parametrize("text", ["plain", "it's", "back\\slash", ":variable", "$$", "ünïcode", "new\nline"])
def test_no_password_can_end_its_string(text: str) -> None:
    literal = config.literal(text)
    assert set(literal[2:-1]).isdisjoint("'\n:$")
    assert literal.removeprefix("E'").removesuffix("'").encode().decode("unicode_escape") == text


def test_a_zero_byte_is_refused() -> None:
    with pytest.raises(ValueError, match="zero byte"):
        config.literal("\0")


def test_the_master_user_is_no_superuser() -> None:
    sql = config.create_master("slipway", "secret", "mlflow")
    assert "SUPERUSER" not in sql
    assert sql.count("WHERE NOT EXISTS") == 3, "it can be run again"


def test_the_authority_is_kept_and_signs_for_the_host(tmp_path: Path) -> None:
    state = State(tmp_path)
    state.create()
    first = ca_path(state).read_text()
    certificate, key = issue(state, "db.example.com")
    assert ca_path(state).read_text() == first
    assert (state.folder / "ca.key").stat().st_mode & 0o777 == 0o600
    x509.load_pem_x509_certificate(certificate).verify_directly_issued_by(
        x509.load_pem_x509_certificate(first.encode())
    )
    assert b"PRIVATE KEY" in key
    ssl.create_default_context(cadata=first)

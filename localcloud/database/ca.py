"""The local cloud's own certificate authority, in RDS's place: machines trust it as they trust RDS's bundle on AWS.

One per state folder, kept over restarts, so that what has been handed out stays true. Keys never leave the folder.
"""

import os
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from localcloud.state import State

MAKING = threading.Lock()
VALID = timedelta(days=3650)


def ca_path(state: State) -> Path:
    """The authority's certificate (PEM), made at the first call."""
    certificate, key = state.folder / "ca.pem", state.folder / "ca.key"
    with MAKING:
        if not (certificate.exists() and key.exists()):
            _make(certificate, key)
    return certificate


def _make(certificate: Path, key: Path) -> None:
    made, private = _authority("Slipway local cloud")
    write_secret(key, _private_pem(private))
    certificate.write_bytes(made.public_bytes(serialization.Encoding.PEM))


def _authority(common_name: str) -> tuple[x509.Certificate, ec.EllipticCurvePrivateKey]:
    name = _name(common_name)
    private = ec.generate_private_key(ec.SECP256R1())
    authority = x509.BasicConstraints(ca=True, path_length=0)
    usage = x509.KeyUsage(False, False, False, False, False, True, True, False, False)
    builder = _builder(name, name, private.public_key())
    builder = builder.add_extension(authority, critical=True).add_extension(usage, critical=True)
    return builder.sign(private, hashes.SHA256()), private


def issue(state: State, host: str) -> tuple[bytes, bytes]:
    """A server certificate for `host` and its key, as PEM."""
    authority = x509.load_pem_x509_certificate(ca_path(state).read_bytes())
    signer = serialization.load_pem_private_key((state.folder / "ca.key").read_bytes(), None)
    assert isinstance(signer, ec.EllipticCurvePrivateKey)
    return _issued(authority, signer, host)


def self_contained(host: str) -> tuple[bytes, bytes, bytes]:
    """An authority whose key is thrown away, and the one server certificate that it signed with its key, as PEM."""
    authority, signer = _authority(f"Slipway {host}")
    return authority.public_bytes(serialization.Encoding.PEM), *_issued(authority, signer, host)


def _issued(authority: x509.Certificate, signer: ec.EllipticCurvePrivateKey, host: str) -> tuple[bytes, bytes]:
    private = ec.generate_private_key(ec.SECP256R1())
    builder = _builder(_name(host[:64]), authority.subject, private.public_key())
    builder = builder.add_extension(x509.SubjectAlternativeName([x509.DNSName(host)]), critical=False)
    certificate = builder.sign(signer, hashes.SHA256())
    return certificate.public_bytes(serialization.Encoding.PEM), _private_pem(private)


def write_secret(file: Path, content: bytes) -> None:
    """Never readable by others, not even for a moment."""
    descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "wb") as out:
        out.write(content)


def _name(common_name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])


def _builder(subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePublicKey) -> x509.CertificateBuilder:
    now = datetime.now(UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + VALID)
    )


def _private_pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    plain = serialization.NoEncryption()
    return key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, plain)

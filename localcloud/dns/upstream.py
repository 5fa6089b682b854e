"""Which of the host's resolvers really answer from inside the namespace.

A resolver that drops queries costs every name a machine asks for many seconds (cloud-init alone: 30), while dnsmasq
with no resolver at all refuses at once: so each is tried first.
"""

import os
import socket
from collections.abc import Sequence
from pathlib import Path

from localcloud.dns.config import nameservers

# systemd-resolved's stub is on loopback, out of reach from a namespace: its own list of servers comes first.
FILES = (Path("/run/systemd/resolve/resolv.conf"), Path("/etc/resolv.conf"))
TRIES = 2
TIMEOUT_SECONDS = 0.5


def candidates() -> tuple[str, ...]:
    """The host's resolvers, from the first file that names any beyond loopback."""
    for file in FILES:
        if file.exists() and (found := nameservers(file.read_text())):
            return found
    return ()


def answering(addresses: Sequence[str]) -> tuple[str, ...]:
    """Those that answer a query for the root's name servers from the calling thread's namespace."""
    return tuple(address for address in addresses if any(_answers(address) for _ in range(TRIES)))


def _answers(address: str) -> bool:
    query = os.urandom(2) + bytes.fromhex("01000001000000000000" + "00" + "00020001")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        client.settimeout(TIMEOUT_SECONDS)
        try:
            client.sendto(query, (address, 53))
            return client.recv(4096)[:2] == query[:2]
        except OSError:
            return False

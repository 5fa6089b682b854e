"""A chat's incoming webhook, called so that neither its secret nor this network leaks by it.

Its whole address is the secret, so no message or error of ours holds more of it than the host. The name is looked up
once and that very address is connected to: a second look-up could answer with one inside the network. What redirects is
refused for the same reason, and proxies of the environment are left alone.
"""

import http.client
import ipaddress
import json
import random
import socket
import ssl
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from ops.errors import UserError

PORTS = {"https": 443, "http": 80}
ATTEMPT_SECONDS = 10.0
PAUSES = (1.0, 2.0, 5.0, 10.0, 20.0, 30.0)
AGAIN = (408, 425, 429)
READ_BYTES = 2000

Address = ipaddress.IPv4Address | ipaddress.IPv6Address


class WebhookError(UserError):
    """It was not told, and will not be: it is set wrongly, refuses what it gets, or did not answer in time."""


class _BusyError(Exception):
    """It may take it later. `seconds` is what it asks to wait, if it says."""

    def __init__(self, reason: str, seconds: float | None = None) -> None:
        super().__init__(reason)
        self.seconds = seconds


@dataclass(frozen=True)
class Webhook:
    """`private`: whether it may be inside this network, and then also without TLS."""

    scheme: str
    host: str
    port: int
    path: str
    private: bool = False
    ca: str | None = None

    @classmethod
    def parse(cls, url: str, *, private: bool = False, ca: str | None = None) -> "Webhook":
        """Raises `WebhookError`, which does not hold the address."""
        text = url.strip()
        try:
            parts = urlsplit(text)
            port = parts.port
        except ValueError:
            raise WebhookError("the webhook's secret is no address", HINT) from None
        if not text.isascii() or not text.isprintable() or " " in text or not parts.hostname:
            raise WebhookError("the webhook's secret is no address", HINT)
        if parts.scheme != "https" and not (private and parts.scheme == "http"):
            raise WebhookError(f"the webhook at {parts.hostname} is not https", HINT)
        if parts.username or parts.password:
            raise WebhookError(f"the webhook at {parts.hostname} has a user in its address", HINT)
        path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        return cls(parts.scheme, parts.hostname, port or PORTS[parts.scheme], path, private, ca)

    def send(
        self, payload: Mapping[str, Any], *, patience_seconds: float, sleep: Callable[[float], None] = time.sleep
    ) -> None:
        """Until it takes it, or `patience_seconds` have passed. Raises `WebhookError`."""
        body = json.dumps(payload).encode()
        deadline = time.monotonic() + patience_seconds
        for number in range(1_000_000):
            try:
                return self._post(body)
            except _BusyError as busy:
                pause = PAUSES[min(number, len(PAUSES) - 1)] * random.uniform(0.75, 1.25)  # noqa: S311
                pause = max(pause, busy.seconds or 0.0)
                if time.monotonic() + pause > deadline:
                    tried = f"tried {number + 1} times" if number else "tried once"
                    raise WebhookError(f"the webhook at {self.host} was not told ({tried}): {busy}") from None
                sleep(pause)
        return None

    def _post(self, body: bytes) -> None:
        headers = {"Content-Type": "application/json", "User-Agent": "slipway"}
        addresses = self._addresses()
        kind = http.client.HTTPSConnection if self.scheme == "https" else http.client.HTTPConnection
        connection = kind(self.host, self.port, timeout=ATTEMPT_SECONDS)
        try:
            connection.sock = self._connected(addresses)
            connection.request("POST", self.path, body, headers)
            answer = connection.getresponse()
            said = "" if answer.status < 300 else answer.read(READ_BYTES).decode(errors="replace")
        except ssl.SSLCertVerificationError as error:
            raise WebhookError(f"the webhook at {self.host} has a wrong certificate: {error.verify_message}") from None
        except OSError as error:
            raise _BusyError(str(error)) from None
        except http.client.HTTPException as error:
            raise _BusyError(type(error).__name__) from None  # its text may quote the address
        finally:
            connection.close()
        if 300 <= answer.status < 400:
            to = _host(answer.getheader("Location", ""))
            raise WebhookError(f"the webhook at {self.host} redirects{to}, which is not followed", HINT)
        if answer.status >= 500 or answer.status in AGAIN:
            raise _BusyError(f"status {answer.status}", _seconds(answer.getheader("Retry-After")))
        if answer.status >= 300:
            line = " ".join(said.split())[:100].replace(self.path, "…")
            raise WebhookError(f"the webhook at {self.host} refuses it: status {answer.status} {line}".rstrip(), HINT)

    def _addresses(self) -> list[Address]:
        """All of the name's, if all may be connected to. Raises `WebhookError`."""
        try:
            found = socket.getaddrinfo(self.host, self.port, type=socket.SOCK_STREAM)
        except (OSError, UnicodeError) as error:
            raise _BusyError(f"its name cannot be looked up: {error}") from None
        addresses = [ipaddress.ip_address(str(each[4][0]).partition("%")[0]) for each in found]
        inside = [each for each in addresses if not is_public(each)]
        if inside and not self.private:
            told = f"the webhook at {self.host} is at {inside[0]}, which is inside a network"
            raise WebhookError(told, "use a public one")
        if self.scheme == "http" and len(inside) < len(addresses):
            raise WebhookError(f"the webhook at {self.host} is not https", HINT)
        return addresses

    def _connected(self, addresses: Sequence[Address]) -> socket.socket:
        """To the first that answers, under the name that its certificate must have. Raises `OSError`."""
        for number, address in enumerate(addresses, start=1):
            try:
                plain = socket.create_connection((str(address), self.port), ATTEMPT_SECONDS)
                break
            except OSError:
                if number == len(addresses):
                    raise
        if self.scheme == "http":
            return plain
        try:
            return ssl.create_default_context(cafile=self.ca).wrap_socket(plain, server_hostname=self.host)
        except BaseException:
            plain.close()
            raise


HINT = "its secret must be the address that the chat gave: https://HOST/…"


def is_public(address: Address) -> bool:
    """Also of what an IPv6 address carries an IPv4 one in."""
    if isinstance(address, ipaddress.IPv6Address):
        carried = address.ipv4_mapped or address.sixtofour or (address.teredo or (None, None))[1]
        if address in NAT64:
            carried = ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
        if carried is not None:
            return is_public(carried)
    return address.is_global and not address.is_multicast


NAT64 = ipaddress.IPv6Network("64:ff9b::/96")


def _host(location: str) -> str:
    try:
        host = urlsplit(location).hostname
    except ValueError:
        return ""
    return f" to {host}" if host else ""


def _seconds(told: str | None) -> float | None:
    return float(told) if told and told.isdigit() else None

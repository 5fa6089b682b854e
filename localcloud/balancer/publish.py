"""Which port on 127.0.0.1 a listener is reached at: the one asked for, else its own or the first free one above."""

import errno
import os
import re
import socket

from localcloud.state import Running
from ops.errors import UserError

ADDRESS = "127.0.0.1"
TRIES = 200
VARIABLE = "SLIPWAY_PUBLISH"


def explicit() -> dict[int, int]:
    """What the user asks for, as `8080:9000 5000:5050`: listener port and port on this machine. Raises `UserError`."""
    wanted = {}
    for word in os.environ.get(VARIABLE, "").replace(",", " ").split():
        found = re.fullmatch(r"(\d{1,5}):(\d{1,5})", word)
        if not found or not all(0 < int(port) < 65536 for port in found.groups()):
            raise UserError(f"{VARIABLE}: {word!r} is not two ports", f"{VARIABLE}='8080:9000 5000:5050'")
        wanted[int(found[1])] = int(found[2])
    return wanted


def check(running: Running | None) -> None:
    """Raises `UserError` when a port that the user asks for cannot be had, with the local cloud as it runs, or not."""
    for port, here in explicit().items():
        if running is None or not running.alive:
            listen(here, exact=True).close()
        elif (at := running.published.get(str(port), here)) != here:
            raise UserError(f"{VARIABLE}: the listener {port} is at {at} already, not at {here}", "`make down` first")


def listen(port: int, *, exact: bool = False) -> socket.socket:
    """A listening socket at the first free port from `port`, or there only. Raises `UserError` when there is none."""
    tries = 1 if exact else TRIES
    for candidate in range(port, min(port + tries, 65536)):
        try:
            return socket.create_server((ADDRESS, candidate), backlog=4096)
        except OSError as error:
            if error.errno not in (errno.EADDRINUSE, errno.EACCES):
                raise
    if exact:
        hint = f"end what listens there, name another, or leave {VARIABLE} out for the first free one"
        raise UserError(f"{VARIABLE}: port {port} on {ADDRESS} is taken", hint)
    raise UserError(f"no free port on {ADDRESS} from {port} to {port + TRIES}", "end what listens there")


class Publisher:
    """The sockets of one load balancer, by listener port. They outlive every HAProxy that serves them."""

    def __init__(self) -> None:
        self.sockets: dict[int, socket.socket] = {}
        self._explicit = explicit()

    @property
    def ports(self) -> dict[int, int]:
        return {port: each.getsockname()[1] for port, each in self.sockets.items()}

    def keep(self, ports: set[int]) -> None:
        """Opens what is missing and closes what is no longer wanted."""
        for port in ports - self.sockets.keys():
            self.sockets[port] = listen(self._explicit.get(port, port), exact=port in self._explicit)
        for port in self.sockets.keys() - ports:
            self.sockets.pop(port).close()

    def descriptors(self) -> dict[int, int]:
        return {port: each.fileno() for port, each in self.sockets.items()}

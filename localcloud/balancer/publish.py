"""Which port on 127.0.0.1 a listener is reached at: its own when that is free, else the first free one above."""

import errno
import socket

from ops.errors import UserError

ADDRESS = "127.0.0.1"
TRIES = 200


def listen(port: int) -> socket.socket:
    """A listening socket at the first free port from `port`. Raises `UserError` when there is none near."""
    for candidate in range(port, min(port + TRIES, 65536)):
        try:
            return socket.create_server((ADDRESS, candidate), backlog=4096)
        except OSError as error:
            if error.errno not in (errno.EADDRINUSE, errno.EACCES):
                raise
    raise UserError(f"no free port on {ADDRESS} from {port} to {port + TRIES}", "end what listens there")


class Publisher:
    """The sockets of one load balancer, by listener port. They outlive every HAProxy that serves them."""

    def __init__(self) -> None:
        self.sockets: dict[int, socket.socket] = {}

    @property
    def ports(self) -> dict[int, int]:
        return {port: each.getsockname()[1] for port, each in self.sockets.items()}

    def keep(self, ports: set[int]) -> None:
        """Opens what is missing and closes what is no longer wanted."""
        for port in ports - self.sockets.keys():
            self.sockets[port] = listen(port)
        for port in self.sockets.keys() - ports:
            self.sockets.pop(port).close()

    def descriptors(self) -> dict[int, int]:
        return {port: each.fileno() for port, each in self.sockets.items()}

"""A container's health check: `python3 -m compose.healthy ADDRESS`. Exit status 1 and the reason when all is not well.

`http://…` must answer 200, `http+unix:SOCKET:/path` as well, `amqps://HOST` must prove that it is the broker, and
`connected:PORT` says that somebody in this container is connected to that port elsewhere.
"""

import http.client
import socket
import ssl
import sys
import urllib.request
from pathlib import Path

SECONDS = 4
AUTHORITY = "/run/secrets/broker_authority"
BROKER_PORT = 5671
CONNECTIONS = (Path("/proc/net/tcp"), Path("/proc/net/tcp6"))
ESTABLISHED = "01"


def main(address: str) -> None:
    kind, _, rest = address.partition(":")
    try:
        match kind:
            case "http":
                with urllib.request.urlopen(address, timeout=SECONDS):  # noqa: S310  (compose.yaml's)
                    pass
            case "http+unix":
                ask(*rest.split(":"))
            case "amqps":
                greet(rest.strip("/"))
            case _:
                require_connection(int(rest))
    except (OSError, http.client.HTTPException) as error:
        sys.exit(f"{address}: {error}")


def ask(place: str, path: str) -> None:
    connection = http.client.HTTPConnection("localhost")
    connection.sock = socket.socket(socket.AF_UNIX)
    connection.sock.settimeout(SECONDS)
    connection.sock.connect(place)
    connection.request("GET", path)
    status = connection.getresponse().status
    if status != http.client.OK:
        raise http.client.HTTPException(f"it answers {status}")


def greet(host: str) -> None:
    context = ssl.create_default_context(cafile=AUTHORITY)
    with (
        socket.create_connection((host, BROKER_PORT), SECONDS) as plain,
        context.wrap_socket(plain, server_hostname=host),
    ):
        return


def require_connection(port: int, tables: tuple[Path, ...] = CONNECTIONS) -> None:
    """https://docs.kernel.org/networking/proc_net_tcp.html: the remote address is the third column, the state the
    fourth, in hexadecimal digits."""
    for table in tables:
        for line in table.read_text().splitlines()[1:] if table.exists() else ():
            remote, state = line.split()[2:4]
            if state == ESTABLISHED and int(remote.rpartition(":")[2], 16) == port:
                return
    raise ConnectionError("it is not connected")


if __name__ == "__main__":
    main(sys.argv[1])

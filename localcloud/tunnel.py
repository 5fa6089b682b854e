"""Standard input and output as a TCP connection inside a local cloud's network: ssh's ProxyCommand for its machines.

Run as a file with `python3 -S`, so that each ssh pays twenty milliseconds and not the import of the package.
"""

import ctypes
import os
import selectors
import socket
import sys

CLONE_NEWNET = 0x40000000
CONNECT_SECONDS = 15
CHUNK = 1 << 16


def enter(namespace: str) -> None:
    """Moves this process into a named network namespace; needs root."""
    libc = ctypes.CDLL(None, use_errno=True)
    descriptor = os.open(f"/run/netns/{namespace}", os.O_RDONLY)
    if libc.setns(descriptor, CLONE_NEWNET):
        error = ctypes.get_errno()
        raise OSError(error, os.strerror(error), namespace)
    os.close(descriptor)


def relay(connection: socket.socket, source: int = 0, target: int = 1) -> None:
    """Carries bytes both ways until the far side closes; the end of our input is passed on as a half-close."""
    selector = selectors.DefaultSelector()
    selector.register(connection, selectors.EVENT_READ)
    selector.register(source, selectors.EVENT_READ)
    while True:
        for key, _ in selector.select():
            if key.fileobj is connection:
                if not (data := connection.recv(CHUNK)):
                    return
                write_all(target, data)
            elif data := os.read(source, CHUNK):
                connection.sendall(data)
            else:
                selector.unregister(source)
                connection.shutdown(socket.SHUT_WR)


def write_all(target: int, data: bytes) -> None:
    while data:
        data = data[os.write(target, data) :]


def main() -> None:
    namespace, address, port = sys.argv[1:]
    try:
        enter(namespace)
        with socket.create_connection((address, int(port)), timeout=CONNECT_SECONDS) as connection:
            connection.settimeout(None)
            relay(connection)
    except OSError as error:
        sys.exit(f"tunnel: {address}:{port} in {namespace}: {error.strerror or error} (reaching a machine needs root)")


if __name__ == "__main__":
    main()

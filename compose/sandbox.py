"""Runs a model's own code for a delivery, in a container without network, rights or secrets: see compose.yaml.

It answers as systemd's socket does on a tracking node, with the same program for each connection, so that what makes a
deployment cannot tell the two apart.
"""

import os
import signal
import socket
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

SOCKET = Path("/run/sandbox/socket")
PROGRAM = "/usr/local/lib/slipway/slipway-sandbox"


def main() -> None:
    signal.signal(signal.SIGTERM, lambda *_: sys.exit())  # process 1 has no default
    with suppress(FileNotFoundError):
        SOCKET.unlink()
    with socket.socket(socket.AF_UNIX) as listening:
        os.umask(0o077)
        listening.bind(str(SOCKET))
        listening.listen()
        while True:
            connection, _ = listening.accept()
            with connection:
                subprocess.Popen([PROGRAM], stdin=connection.fileno(), stdout=connection.fileno())
            _reap()


def _reap() -> None:
    """Those that have ended since the last one came: few, and each was waited for by nobody."""
    with suppress(ChildProcessError):
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass


if __name__ == "__main__":
    main()

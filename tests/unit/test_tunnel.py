"""`localcloud.tunnel`: bytes in, bytes out, and both ends closed in order."""

import os
import socket
import sys
import threading
from pathlib import Path

from localcloud import tunnel
from ops.run import run

FILE = Path(tunnel.__file__)


def test_bytes_go_both_ways_and_the_end_of_input_is_passed_on() -> None:
    near, far = socket.socketpair()
    read_in, write_in = os.pipe()
    read_out, write_out = os.pipe()
    thread = threading.Thread(target=tunnel.relay, args=(near, read_in, write_out))
    thread.start()
    os.write(write_in, b"hello")
    assert far.recv(100) == b"hello"
    far.sendall(b"x" * 40_000)
    received = b""
    while len(received) < 40_000:
        received += os.read(read_out, 100_000)
    os.close(write_in)
    assert far.recv(100) == b"", "the far side must see that our input ended"
    far.close()
    thread.join(5)
    assert not thread.is_alive()


def test_a_network_that_is_not_there_is_one_line() -> None:
    result = run([sys.executable, "-S", FILE, "slipway-absent", "10.0.0.1", "22"], check=False)
    assert result.returncode == 1
    assert result.stderr.startswith("tunnel: 10.0.0.1:22 in slipway-absent: No such file or directory")
    assert len(result.stderr.splitlines()) == 1

#!/usr/bin/env python3
"""`connect.py NETNS ADDRESS PORT --fdpass`: an ssh ProxyCommand into the local cloud's network.

ssh gets a connected socket (ProxyUseFdpass), so that no process of ours stands between it and the machine.
Standard library only and no import of Slipway: it runs once for every connection.
"""

import array
import ctypes
import os
import socket
import sys

CLONE_NEWNET = 0x40000000


def main(netns: str, address: str, port: str) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    descriptor = os.open(f"/run/netns/{netns}", os.O_RDONLY)
    if libc.setns(descriptor, CLONE_NEWNET) != 0:
        sys.exit(f"connect: cannot enter {netns}: {os.strerror(ctypes.get_errno())} (are you root?)")
    connection = socket.create_connection((address, int(port)), timeout=10)
    connection.setblocking(True)
    fds = array.array("i", [connection.fileno()])
    with socket.socket(fileno=os.dup(1)) as ssh:
        ssh.sendmsg([b"\0"], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, fds)])


if __name__ == "__main__":
    try:
        main(*sys.argv[1:4])
    except OSError as error:
        sys.exit(f"connect: {' '.join(sys.argv[2:4])}: {error}")

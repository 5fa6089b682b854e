"""The plugin's process: serves on a loopback port, says which, and ends with the engine.

The engine's address is the first argument; the port must be the first line on stdout. Other output is not shown.
"""

import os
import signal
import sys
import threading
from concurrent.futures import ThreadPoolExecutor

import grpc

from localcloud.provider.engine import Engine
from localcloud.provider.proto import provider_pb2_grpc
from localcloud.provider.servicer import Provider

WORKERS = 64  # a waiter occupies one for as long as it waits
MESSAGE_BYTES = 400 * 1024 * 1024  # as the engine's own limit


def main() -> None:
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    options = [("grpc.max_receive_message_length", MESSAGE_BYTES), ("grpc.max_send_message_length", MESSAGE_BYTES)]
    server = grpc.server(ThreadPoolExecutor(WORKERS), options=options)
    provider = Provider(Engine(sys.argv[1] if len(sys.argv) > 1 else ""))
    provider_pb2_grpc.add_ResourceProviderServicer_to_server(provider, server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    print(port, flush=True)
    parent = os.getppid()
    while not stop.wait(1.0):
        if os.getppid() != parent:  # the engine was killed
            break
    server.stop(grace=0.2).wait(1)
    os._exit(0)  # a waiter's thread must not keep the process


main()

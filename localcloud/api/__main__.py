"""`python -m localcloud.api --port N --instant`: the API alone, without machines, for trying a program against it."""

import argparse
import socket
import threading

from localcloud.api.server import ApiServer
from localcloud.instant import InstantCloud
from localcloud.world import MotoWorld


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, default=0, help="port on 127.0.0.1, a free one by default")
    parser.add_argument("--instant", action="store_true", help="instances run and targets are healthy at once")
    arguments = parser.parse_args()
    listening = socket.create_server(("127.0.0.1", arguments.port))
    server = ApiServer([listening], checkout="standalone")
    server.start()
    if arguments.instant:
        InstantCloud(MotoWorld()).start()
    print(f"http://127.0.0.1:{listening.getsockname()[1]}", flush=True)
    threading.Event().wait()


if __name__ == "__main__":
    main()

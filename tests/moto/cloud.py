"""A local cloud without machines for tests: plain moto on a loopback port, with the answer that proves what it is."""

import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

ENVIRONMENT = {
    "AWS_ACCESS_KEY_ID": "AKIASLIPWAYLOCAL0000",
    "AWS_SECRET_ACCESS_KEY": "local",
    "AWS_REGION": "us-east-1",
    "AWS_CONFIG_FILE": os.devnull,
    "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
    "AWS_EC2_METADATA_DISABLED": "true",
}
os.environ.setdefault("MOTO_IAM_LOAD_MANAGED_POLICIES", "true")


def proving(application: Callable[..., Iterable[bytes]]) -> Callable[..., Iterable[bytes]]:
    """A WSGI application that says it is a local cloud, and is moto otherwise."""

    def wrapped(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        if environ["PATH_INFO"] == "/slipway/localcloud":
            start_response("200 OK", [("Content-Type", "application/json")])
            return [b'{"slipway": "localcloud", "checkout": "slipway-000000"}']
        return application(environ, start_response)

    return wrapped


@contextmanager
def moto_cloud() -> Iterator[str]:
    """The endpoint's address, for as long as the context lasts."""
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    running = server._server  # no other way to its WSGI application
    assert running is not None
    running.app = proving(running.app)
    try:
        yield f"http://{host}:{port}"
    finally:
        server.stop()

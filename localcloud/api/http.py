"""A small HTTP/1.1 server for one WSGI application on sockets that already listen.

Werkzeug's own server closes the connection after every answer, which costs a client more than the call itself.
This one reads the whole body before the call and knows the length of every answer, so connections are kept.
"""

import io
import socket
import tempfile
import threading
from collections.abc import Callable, Iterable
from http.server import ThreadingHTTPServer
from typing import IO, Any, cast

from moto.moto_server.werkzeug_app import MotoRequestHandler
from werkzeug.serving import DechunkedInput

Environ = dict[str, Any]
Application = Callable[[Environ, Callable[..., Any]], Iterable[bytes]]

IDLE_SECONDS = 75
IN_MEMORY_BYTES = 16 << 20


class Handler(MotoRequestHandler):  # type: ignore[misc]
    """One connection. `make_environ` is moto's: it keeps the spelling of S3 metadata headers and the raw path."""

    protocol_version = "HTTP/1.1"
    timeout = IDLE_SECONDS
    disable_nagle_algorithm = True
    wbufsize = -1

    def run_wsgi(self) -> None:
        environ: Environ = self.make_environ()
        # http.server has answered "Expect: 100-continue" already.
        with self._body(environ) as body:
            environ["wsgi.input"] = body
            environ["wsgi.input_terminated"] = True
            status, headers, chunks = self._call(environ)
        self._answer(status, headers, b"".join(chunks), head=environ["REQUEST_METHOD"] == "HEAD")

    def _body(self, environ: Environ) -> IO[bytes]:
        """The request's body, read to its end: what is left on the connection is the next request."""
        if isinstance(environ["wsgi.input"], DechunkedInput):
            body = tempfile.SpooledTemporaryFile(max_size=IN_MEMORY_BYTES)  # noqa: SIM115  the caller closes it
            while block := environ["wsgi.input"].read(1 << 16):
                body.write(block)
            environ["CONTENT_LENGTH"] = str(body.tell())
            body.seek(0)
            return cast(IO[bytes], body)
        return io.BytesIO(self.rfile.read(int(environ.get("CONTENT_LENGTH") or 0)))

    def _call(self, environ: Environ) -> tuple[str, list[tuple[str, str]], list[bytes]]:
        answer: dict[str, Any] = {}

        def start_response(status: str, headers: list[tuple[str, str]], _exc: object = None) -> None:
            answer.update(status=status, headers=headers)

        chunks = list(self.server.app(environ, start_response))
        return answer["status"], answer["headers"], chunks

    def _answer(self, status: str, headers: list[tuple[str, str]], body: bytes, *, head: bool) -> None:
        code, _, reason = status.partition(" ")
        self.send_response(int(code), reason)
        length = str(len(body))
        for name, value in headers:
            if name.lower() == "content-length":
                length = value if head else length
            else:
                self.send_header(name, value)
        if code not in ("204", "304"):
            self.send_header("Content-Length", length)
        self.end_headers()
        if not head:
            self.wfile.write(body)
        self.wfile.flush()

    def handle_expect_100(self) -> bool:
        done = super().handle_expect_100()
        self.wfile.flush()
        return bool(done)

    def log_error(self, format: str, *args: Any) -> None:
        """A kept connection that stays idle is closed, which http.server calls an error."""
        if not (args and isinstance(args[0], TimeoutError)):
            super().log_error(format, *args)

    def log_request(self, *_: Any) -> None:
        """Nothing: calls.py keeps the record of calls."""


class Server(ThreadingHTTPServer):
    """A thread per connection, on a socket made elsewhere (another network namespace, perhaps)."""

    daemon_threads = True
    multithread = True
    multiprocess = False
    ssl_context = None
    passthrough_errors = False
    _server_version = "slipway-localcloud"

    def __init__(self, listening: socket.socket, app: Application) -> None:
        address = listening.getsockname()
        super().__init__(address, Handler, bind_and_activate=False)
        self.socket.close()
        self.socket = listening
        self.server_address = address
        self.app = app
        self._thread = threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.2}, daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self.shutdown()
        self.server_close()
        self._thread.join(timeout=5)

    def log(self, kind: str, message: str, *args: Any) -> None:
        print(f"{kind}: {message % args if args else message}", flush=True)

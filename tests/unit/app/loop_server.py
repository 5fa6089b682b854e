"""A site on a Unix socket in this process: each request can be asked of the loop, and of Flask behind it."""

import asyncio
import gc
import http.client
import socket
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import uvloop

from app.core.batch import Call
from app.core.plain import Table
from app.core.serving import Serving
from app.http.factory import create_app
from app.loop.connection import Connection
from app.loop.limits import Limits
from app.loop.message import Request
from app.loop.short import Pending, Short
from app.loop.site import Site

Reply = tuple[int, bytes, dict[str, str]]


class LoopServer:
    """A site on a Unix socket, in a loop of its own thread; Flask's client speaks to the same `Serving`."""

    def __init__(self, serving: Serving, path: Path) -> None:
        self.path, self.serving = path, serving
        self.taken: list[bool] = []  # of each request by the loop: whether the short path took it
        self.app = create_app(serving)
        serving.start()
        serving.scoring.submit(lambda: None).result()
        self.loop = uvloop.new_event_loop()
        self.site = Site(self.app, serving, Limits(), self.loop)
        self.site._short = Counted(self.site._short, self.taken)  # type: ignore[assignment]
        listening = self.loop.create_unix_server(lambda: Connection(self.site), str(path))
        self.listener = self.loop.run_until_complete(listening)
        self._thread = threading.Thread(target=self.loop.run_forever, daemon=True)
        self._thread.start()
        self.client = self.app.test_client()
        self.connection = http.client.HTTPConnection("localhost", timeout=60)
        self.connection.sock = socket.socket(socket.AF_UNIX)
        self.connection.sock.connect(str(path))

    def by_loop(self, path: str, body: bytes, headers: dict[str, str]) -> Reply:
        self.connection.request("POST", path, body, headers)
        answer = self.connection.getresponse()
        return answer.status, answer.read(), _kept(dict(answer.headers))

    def by_flask(self, path: str, body: bytes, headers: dict[str, str]) -> Reply:
        answer = self.client.post(path, data=body, headers=headers)
        return answer.status_code, answer.data, _kept(dict(answer.headers))

    def stop(self) -> None:
        """Leaves nothing to the garbage collector: what it closed late would by then be another test's descriptor."""
        self.connection.close()
        asyncio.run_coroutine_threadsafe(self._close(), self.loop).result(10)
        self.loop.call_soon_threadsafe(self.loop.stop)
        self._thread.join(10)
        self.loop.close()

    async def _close(self) -> None:
        self.site.close()
        self.listener.close()


def garbage_of(ask: Callable[[], Reply], times: int) -> list[str]:
    """What of these requests only the garbage collector found, by the names of their types; each must be answered."""
    gc.collect()
    gc.set_debug(gc.DEBUG_SAVEALL)
    try:
        for _ in range(times):
            assert ask()[0] == 200
        gc.collect()
        return [type(each).__name__ for each in gc.garbage if isinstance(each, Request | Call | Pending | Table)]
    finally:
        gc.set_debug(0)
        gc.garbage.clear()


class Counted:
    def __init__(self, short: Short, taken: list[bool]) -> None:
        self._short, self._taken = short, taken

    def begin(self, request: Request, *others: Any) -> Pending | None:
        pending = self._short.begin(request, *others)
        self._taken.append(pending is not None)
        return pending


def _kept(headers: dict[str, str]) -> dict[str, str]:
    return {name: value for name, value in headers.items() if name not in ("Date", "Connection", "Server")}

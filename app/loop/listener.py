"""Takes connections off gunicorn's listening sockets, one at a time, leaving them first to workers that have fewer."""

import asyncio
import logging
import socket
from collections.abc import Callable

from app.loop.connection import Connection
from app.loop.loads import Loads

YIELD_SECONDS = 0.002
PAUSE_SECONDS = 0.1

log = logging.getLogger(__name__)


class Listener:
    def __init__(self, sockets: list[socket.socket], make: Callable[[], Connection], worker: int, loads: Loads) -> None:
        self._sockets, self._make, self._worker, self._loads = sockets, make, worker, loads
        self._loop = asyncio.get_running_loop()
        self._connecting: set[asyncio.Task[object]] = set()
        self._count: Callable[[], int] = lambda: 0
        self.is_open = False

    def open(self, count: Callable[[], int]) -> None:
        """`count()` says how many connections this worker has."""
        self._count, self.is_open = count, True
        self.tell()
        for one in self._sockets:
            self._loop.add_reader(one, self._readable, one)

    def tell(self) -> None:
        if self.is_open:
            self._loads.set(self._worker, self._count() + len(self._connecting))

    def _readable(self, one: socket.socket) -> None:
        self.tell()
        if self._count() + len(self._connecting) <= self._loads.least:
            self._accept(one)
            return
        self._loop.remove_reader(one)
        self._loop.call_later(YIELD_SECONDS, self._insist, one)

    def _insist(self, one: socket.socket) -> None:
        """Nobody else took it."""
        if self.is_open:
            self._loop.add_reader(one, self._readable, one)
            self._accept(one)

    def _accept(self, one: socket.socket) -> bool:
        try:
            accepted, _ = one.accept()
        except (BlockingIOError, InterruptedError, ConnectionAbortedError):  # another worker was quicker
            return False
        except OSError as error:  # no descriptor or memory is left: the ones that are open will be closed
            log.error("a connection could not be taken: %s", error)
            self._loop.remove_reader(one)
            self._loop.call_later(PAUSE_SECONDS, self._insist, one)
            return False
        accepted.setblocking(False)
        task = self._loop.create_task(self._connect(accepted))
        self._connecting.add(task)
        task.add_done_callback(self._connecting.discard)
        self.tell()
        return True

    async def _connect(self, accepted: socket.socket) -> None:
        try:
            await self._loop.connect_accepted_socket(self._make, accepted)
        except OSError:
            accepted.close()

    async def close(self) -> None:
        """Takes what has connected already, then nothing more."""
        if self.is_open:
            self.is_open = False
            self._loads.gone(self._worker)
            for one in self._sockets:
                self._loop.remove_reader(one)
                while self._accept(one):
                    pass
        if self._connecting:
            await asyncio.wait(self._connecting)

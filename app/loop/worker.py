"""gunicorn's worker: an event loop, and what gunicorn and a rollout rely on.

A predict that never returns must end the worker, so the heartbeat that gunicorn's `timeout` watches stands still while
one runs, though the loop goes on answering. A worker started in place of a dead one takes connections only when its
models are ready. A worker that must stop answers everything that reached it, each answer its connection's last.
"""

import asyncio
import gc
import os
import signal
import time
from types import FrameType
from typing import Any

import uvloop
from gunicorn.workers.base import Worker as Base  # type: ignore[import-untyped]

from app import settings
from app.core import growth
from app.core.serving import Serving
from app.loop.connection import Connection
from app.loop.limits import Limits
from app.loop.listener import Listener
from app.loop.loads import LOADS
from app.loop.site import Site

TICK_SECONDS = 0.25
GARBAGE = (20_000, 20, 50)  # a request leaves no cycles: Python's own 700 would look for some every few requests


class Worker(Base):  # type: ignore[misc]
    alive: bool

    def __init__(self, *arguments: Any) -> None:
        """In the master, before the fork."""
        super().__init__(*arguments)
        self.serving: Serving = self.app.wsgi().extensions["slipway"]
        self.is_replacement = self.serving.board.complete
        self.linger_until: float | None = None
        self.memory: growth.Bound | None = None

    def load_wsgi(self) -> None:
        super().load_wsgi()
        self.serving.start(self.age)

    def gone(self) -> None:
        """In the master, when the worker has ended."""
        LOADS.gone(self.age)
        self.serving.board.gone(self.age)

    def notify(self) -> None:
        since = self.serving.scoring.predicting_since
        if since is None:
            super().notify()
        else:
            os.utime(self.tmp.fileno(), (since, since))

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        self.serving.draining = True
        super().handle_exit(sig, frame)

    def handle_quit(self, sig: int, frame: FrameType | None) -> None:  # noqa: ARG002
        self._end(0)

    def handle_abort(self, sig: int, frame: FrameType | None) -> None:  # noqa: ARG002
        self._end(1)

    def _end(self, status: int) -> None:
        """At once: Python's own way out would wait for a predict that may never return."""
        self.cfg.worker_abort(self) if status else self.cfg.worker_int(self)
        self.cfg.worker_exit(self.app, self)
        os._exit(status)

    def run(self) -> None:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(self._serve())

    async def _serve(self) -> None:
        loop = asyncio.get_running_loop()
        for number, handler in (
            (signal.SIGTERM, self.handle_exit),
            (signal.SIGQUIT, self.handle_quit),
            (signal.SIGINT, self.handle_quit),
            (signal.SIGABRT, self.handle_abort),
            (signal.SIGUSR1, self.handle_usr1),
        ):
            loop.add_signal_handler(number, handler, number, None)
        site = Site(self.wsgi, self.serving, self._limits(), loop)
        listener = Listener(self.sockets, lambda: Connection(site), self.age, LOADS)
        for one in self.sockets:
            one.setblocking(False)
        while self.alive or site.connections or listener.is_open:
            self._tick(site, listener)
            if self._may_close(site):
                await listener.close()
            if self.alive or site.connections:
                await asyncio.sleep(TICK_SECONDS)
        site.close()

    def _may_close(self, site: Site) -> bool:
        """While kept connections linger, so do those that are just being made."""
        return self.linger_until is not None and (not site.connections or time.monotonic() >= self.linger_until)

    def _limits(self) -> Limits:
        return Limits(idle_seconds=self.cfg.keepalive, client_seconds=settings.read(os.environ).client_seconds)

    def _tick(self, site: Site, listener: Listener) -> None:
        now = time.monotonic()
        self.notify()
        if self.alive and self.ppid != os.getppid():
            self.log.info("the master has gone")
            self.handle_exit(signal.SIGTERM, None)
        if self.alive and not listener.is_open and (self.serving.is_ready or not self.is_replacement):
            listener.open(lambda: len(site.connections))
        if self.serving.is_ready:
            self._keep_within_memory()
        if not self.alive:
            self.linger_until = self.linger_until or now + site.limits.linger_seconds
            site.drain(self.linger_until)
        listener.tell()
        site.expire(now)

    def _keep_within_memory(self) -> None:
        resident = growth.resident()
        if self.memory is None:
            gc.freeze()  # what the models are made of will not become garbage
            gc.set_threshold(*GARBAGE)
            bound = settings.read(os.environ).worker_memory
            self.memory = growth.Bound.settled(resident, bound, self.age, self.cfg.workers)
        elif self.alive and self.memory.exceeded(resident):
            self.log.warning("holds %d bytes, more than %d: another takes its place", resident, self.memory.limit)
            self.alive = False

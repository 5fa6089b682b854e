"""gunicorn's threaded worker with three habits of its own.

A predict that never returns must end the worker, so the heartbeat that gunicorn's `timeout` watches stands still while
one runs (the threaded worker's would go on). A worker started in place of a dead one takes connections only when its
models are ready. A draining worker closes idle connections soon instead of waiting for the peer to do it.
"""

import os
import time
from typing import Any

from gunicorn.workers.gthread import ThreadWorker  # type: ignore[import-untyped]

from app.core.serving import Serving

LINGER_SECONDS = 2.0  # Nginx may be sending on an idle connection: it gets its answer and "Connection: close"


class Worker(ThreadWorker):  # type: ignore[misc]
    def __init__(self, *arguments: Any) -> None:
        """In the master, before the fork."""
        super().__init__(*arguments)
        self.serving: Serving = self.app.wsgi().extensions["slipway"]
        self.is_replacement = self.serving.board.complete
        self._linger_until: float | None = None

    def load_wsgi(self) -> None:
        super().load_wsgi()
        self.serving.start(self.age)

    def notify(self) -> None:
        since = self.serving.scoring.predicting_since
        if since is None:
            super().notify()
        else:
            os.utime(self.tmp.fileno(), (since, since))

    def set_accept_enabled(self, enabled: bool) -> None:
        """gunicorn asks at every turn of its loop, at least once a second."""
        super().set_accept_enabled(enabled and (self.serving.is_ready or not self.is_replacement))

    def handle_exit(self, sig: int, frame: Any) -> None:
        self.serving.draining = True
        super().handle_exit(sig, frame)

    def wait_for_and_dispatch_events(self, timeout: float) -> None:
        if self.alive:
            super().wait_for_and_dispatch_events(timeout)
            return
        self.notify()
        self._linger_until = self._linger_until or time.monotonic() + LINGER_SECONDS
        for connection in self.keepalived_conns:
            connection.timeout = min(connection.timeout, self._linger_until)
        super().wait_for_and_dispatch_events(min(timeout, 0.1))

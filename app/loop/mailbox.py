"""From the threads to the loop: any number of messages, one wake-up."""

import asyncio
import logging
from collections import deque
from collections.abc import Callable
from typing import Any

log = logging.getLogger(__name__)


class Mailbox:
    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._messages: deque[tuple[Callable[..., None], tuple[Any, ...]]] = deque()
        self._woken = False

    def put(self, receive: Callable[..., None], *arguments: Any) -> None:
        """From any thread: `receive(*arguments)` will run in the loop."""
        self._messages.append((receive, arguments))
        if not self._woken:
            self._woken = True
            self._loop.call_soon_threadsafe(self._open)

    def _open(self) -> None:
        self._woken = False  # first: who puts from here on wakes the loop again
        while self._messages:
            receive, arguments = self._messages.popleft()
            try:
                receive(*arguments)
            except Exception:  # one message must not cost the others
                log.exception("an answer was lost")

"""One request of the engine as a handler sees it: clients, progress, time left, and waiting."""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, TypeVar

from localcloud.provider.cloud import Cloud
from localcloud.provider.errors import CancelledError, WaitError, code, gone

T = TypeVar("T")

FIRST_PAUSE_SECONDS = 0.1
LONGEST_PAUSE_SECONDS = 1.0


@dataclass
class Call:
    """`creating` is true from Create on until the resource is complete; an update that completes it has it false."""

    cloud: Cloud
    name: str = ""
    creating: bool = False
    timeout_seconds: float = 0
    report: Callable[[str], None] = lambda _text: None
    cancelled: threading.Event = field(default_factory=threading.Event)
    _told: str = ""

    @property
    def region(self) -> str:
        return self.cloud.region

    @property
    def account(self) -> str:
        return self.cloud.account

    def client(self, service: str) -> Any:
        return self.cloud.client(service)

    def progress(self, text: str) -> None:
        """One line beside the resource's name; the same line twice is told once."""
        if text != self._told:
            self._told = text
            self.report(text)

    def wait(self, look: Callable[[], T | None], what: str, timeout_seconds: float) -> T:
        """Looks until there is an answer. `look` may call `progress`, and raises WaitError when there is no hope.

        The time is `timeout_seconds`, or what the program says in `custom_timeouts`.
        """
        allowed = self.timeout_seconds or timeout_seconds
        deadline = time.monotonic() + allowed
        pause = FIRST_PAUSE_SECONDS
        while (found := look()) is None:
            if time.monotonic() > deadline:
                seen = f"; last seen: {self._told}" if self._told else ""
                raise WaitError(f"timed out after {allowed:.0f} s waiting for {what}{seen}")
            if self.cancelled.wait(pause):
                raise CancelledError(f"cancelled while waiting for {what}")
            pause = min(pause * 1.5, LONGEST_PAUSE_SECONDS)
        return found

    def wait_gone(self, look: Callable[[], object], what: str, timeout_seconds: float) -> None:
        """Waits until `look` answers something empty or AWS says that it does not exist."""

        def absent() -> bool | None:
            try:
                return None if look() else True
            except Exception as error:
                if gone(error):
                    return True
                raise

        self.wait(absent, f"{what} to be gone", timeout_seconds)

    def retry(self, action: Callable[[], T], codes: tuple[str, ...], what: str, timeout_seconds: float) -> T:
        """Runs an action again for as long as AWS refuses with one of these codes, where the real provider does."""
        refused: list[Exception] = []

        def attempt() -> tuple[T] | None:
            try:
                return (action(),)
            except Exception as error:
                if code(error) not in codes:
                    raise
                refused.append(error)
                self.progress(f"{what}: {code(error)}, trying again")
                return None

        try:
            return self.wait(attempt, what, timeout_seconds)[0]
        except WaitError:
            if refused:
                raise refused[-1] from None
            raise

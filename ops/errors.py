"""How Slipway tells a user about a mistake: one line and a way out, never a traceback.

A `UserError` is expected (a taken port, a missing package, a wrong value). Everything else is a bug and keeps its
traceback, so no command catches `Exception`. Imports nothing but the standard library: the bootstrap needs it too.
"""

import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager


class UserError(Exception):
    """Something that the user can put right. `message` names the value and the reason, `hint` the way out.

    `status` is what a command that ends with it exits with.
    """

    status = 1

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.message}\n  hint: {self.hint}" if self.hint else self.message


class RefusedError(UserError):
    """A model that cannot be served, today or tomorrow. `model` is its name."""

    def __init__(self, model: str, message: str, hint: str = "") -> None:
        super().__init__(message, hint)
        self.model = model


class NotNowError(UserError):
    """Something outside is in the way (a network, a full disk), and may be gone later. No model is to blame."""


@contextmanager
def reported(program: str) -> Iterator[None]:
    """Wraps a command line's main: a `UserError` becomes its text on stderr and its exit status, Ctrl-C status 130."""
    try:
        yield
    except UserError as error:
        print(f"{program}: {error}", file=sys.stderr)
        sys.exit(error.status)
    except KeyboardInterrupt:
        print(f"{program}: interrupted; run it again to go on from here", file=sys.stderr)
        sys.exit(130)


def interruptible() -> None:
    """Makes SIGTERM the same as Ctrl-C, and Ctrl-C work even below a shell that ignores it for its background jobs."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.default_int_handler)

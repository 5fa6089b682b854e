"""What tests of several modules here start from."""

import signal
from collections.abc import Iterator

import pytest

from ops.errors import interruptible


@pytest.fixture
def signals() -> Iterator[None]:
    """A background shell starts us with Ctrl-C ignored, which children would inherit."""
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    interruptible()
    yield
    for number, handler in before.items():
        signal.signal(number, handler)

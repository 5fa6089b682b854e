"""What tests of several modules here start from."""

import signal
from collections.abc import Iterator

import pytest

from ops import cache
from ops.errors import interruptible


@pytest.fixture(autouse=True)
def cache_of_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a test says of the cache's place, or code under test does, is forgotten with it."""
    monkeypatch.setenv(cache.VARIABLE, "")
    monkeypatch.delenv(cache.VARIABLE)


@pytest.fixture
def signals() -> Iterator[None]:
    """A background shell starts us with Ctrl-C ignored, which children would inherit."""
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    interruptible()
    yield
    for number, handler in before.items():
        signal.signal(number, handler)

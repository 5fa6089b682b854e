"""Where a listener is published: its own port or the next free one, or exactly the one that the user names."""

import os
import socket
from collections.abc import Iterator

import pytest

from localcloud.balancer.publish import ADDRESS, VARIABLE, Publisher, check, explicit, listen
from localcloud.state import Running, start_time
from ops.errors import UserError


@pytest.fixture
def taken() -> Iterator[int]:
    with socket.create_server((ADDRESS, 0)) as server:
        yield server.getsockname()[1]


def test_a_taken_port_leads_to_the_next_free_one(taken: int) -> None:
    with listen(taken) as found:
        assert found.getsockname()[1] > taken


def test_a_port_that_is_asked_for_is_had(taken: int, monkeypatch: pytest.MonkeyPatch) -> None:
    with listen(taken) as free:
        port = free.getsockname()[1]
    monkeypatch.setenv(VARIABLE, f"8080:{port}")
    check(None)
    publisher = Publisher()
    publisher.keep({8080})
    assert publisher.ports == {8080: port}
    publisher.keep(set())


def test_a_port_that_is_asked_for_and_taken_is_refused(taken: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, f"8080:{taken}")
    with pytest.raises(UserError, match=f"port {taken} on 127.0.0.1 is taken") as caught:
        check(None)
    assert VARIABLE in caught.value.hint


@pytest.mark.parametrize("text", ["9000", "8080:x", "8080:0", "8080:70000", "a:b"])
def test_what_are_not_two_ports_is_refused(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, text)
    with pytest.raises(UserError, match="is not two ports"):
        explicit()


def test_a_running_cloud_keeps_its_ports_and_another_wish_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    pid = os.getpid()
    running = Running(pid=pid, started=start_time(pid), checkout_id="slipway-1", published={"8080": 8081})
    monkeypatch.setenv(VARIABLE, "8080:8081")
    check(running)
    monkeypatch.setenv(VARIABLE, "8080:9000")
    with pytest.raises(UserError, match="the listener 8080 is at 8081 already, not at 9000"):
        check(running)

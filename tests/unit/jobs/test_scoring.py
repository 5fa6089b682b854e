"""How a worker asks the model server: over a kept connection, and knowing whether a failure may be the job's own."""

import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from jobs.scoring import BrokenError, ModelServer, UnavailableError

Script = Callable[[socket.socket], None]
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nX-Slipway-Model: echo/1\r\nContent-Length: 2\r\n"


def read(connection: socket.socket) -> None:
    """The whole request."""
    while not connection.recv(65536).endswith(b"[]"):
        pass


def answered(connection: socket.socket) -> None:
    read(connection)
    connection.sendall(HEAD + b"\r\n{}")


def last(connection: socket.socket) -> None:
    read(connection)
    connection.sendall(HEAD + b"Connection: close\r\n\r\n{}")
    connection.close()


def silent(connection: socket.socket) -> None:
    read(connection)
    connection.close()


def busy(connection: socket.socket) -> None:
    read(connection)
    connection.sendall(b"HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n")


class Server:
    """Each connection does what its script says, request by request, and is closed then."""

    def __init__(self, path: Path, scripts: list[list[Script]]) -> None:
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(path))
        self._listener.listen()
        self._scripts = scripts
        self._thread = threading.Thread(target=self._work, daemon=True)
        self._thread.start()

    def _work(self) -> None:
        for script in self._scripts:
            connection, _ = self._listener.accept()
            for act in script:
                act(connection)
            connection.close()

    def close(self) -> None:
        self._thread.join(5)
        self._listener.close()


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Callable[..., ModelServer]]:
    made: list[Server] = []

    def start(*scripts: list[Script]) -> ModelServer:
        made.append(Server(tmp_path / "s.sock", list(scripts)))
        return ModelServer(tmp_path / "s.sock")

    yield start
    for server in made:
        server.close()


def ask(server: ModelServer) -> int:
    return server.ask("/predict", '{"Content-Type": "application/json"}', b"[]", "id").status


def test_one_connection_serves_many_jobs(serve: Callable[..., ModelServer]) -> None:
    server = serve([answered, answered])
    assert server.ask("/predict", "{}", b"[]", "id").model == "echo/1"
    assert ask(server) == 200


def test_a_connection_that_was_closed_while_idle_costs_nothing(serve: Callable[..., ModelServer]) -> None:
    server = serve([answered], [answered])
    assert (ask(server), ask(server)) == (200, 200)


def test_a_server_that_drains_is_left_for_the_next(serve: Callable[..., ModelServer]) -> None:
    server = serve([last], [answered])
    assert (ask(server), ask(server)) == (200, 200)


def test_a_server_that_takes_the_job_and_says_nothing_may_be_broken_by_it(serve: Callable[..., ModelServer]) -> None:
    with pytest.raises(BrokenError):
        ask(serve([silent]))


def test_a_server_with_too_much_to_do_has_not_taken_it(serve: Callable[..., ModelServer]) -> None:
    with pytest.raises(UnavailableError):
        ask(serve([busy]))


def test_a_server_that_is_not_there_has_not_taken_it_however_often_it_is_asked(tmp_path: Path) -> None:
    server = ModelServer(tmp_path / "nowhere.sock")
    for _ in range(2):
        with pytest.raises(UnavailableError, match="No such file"):
            ask(server)

"""`ops.webhook`: a chat is told, and neither the secret nor what is inside this network gets out by it."""

import socket
from collections.abc import Iterator
from typing import Any

import pytest

from ops import webhook
from ops.webhook import Webhook, WebhookError
from tests.chat import SECRET, Chat, chat

PAYLOAD = {"text": "hello"}


@pytest.fixture
def found() -> Iterator[Chat]:
    with chat() as running:
        yield running


def send(found: Chat, patience: float = 100.0) -> list[float]:
    """The pauses between the attempts."""
    pauses: list[float] = []
    Webhook.parse(found.url, private=True).send(PAYLOAD, patience_seconds=patience, sleep=pauses.append)
    return pauses


def refused(url: str, **options: Any) -> str:
    """Why nothing was sent there; never with the secret."""
    with pytest.raises(WebhookError) as error:
        Webhook.parse(url, **options).send(PAYLOAD, patience_seconds=0)
    assert "secret-part" not in str(error.value)
    return error.value.message


def resolve(monkeypatch: pytest.MonkeyPatch, *addresses: str) -> list[str]:
    """What the name means; returns what is connected to, where nothing answers."""
    connected: list[str] = []
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: [(0, 0, 0, "", (each, 443)) for each in addresses])

    def connect(address: tuple[str, int], timeout: float) -> socket.socket:
        connected.append(address[0])
        raise ConnectionRefusedError("refused")

    monkeypatch.setattr(socket, "create_connection", connect)
    return connected


def test_it_is_told_by_one_post(found: Chat) -> None:
    assert send(found) == []
    assert (found.told, found.paths, found.hosts) == ([PAYLOAD], [SECRET], [f"127.0.0.1:{found.port}"])


def test_one_that_is_busy_is_asked_again_with_longer_pauses(found: Chat) -> None:
    found.answers = [(503, {}), (429, {"Retry-After": "7"}), (500, {}), (200, {})]
    pauses = send(found)
    assert found.told == [PAYLOAD]
    assert len(pauses) == 3
    assert pauses[1] >= 7
    assert pauses[0] < pauses[2]


def test_one_that_stays_away_is_given_up_in_one_line(found: Chat) -> None:
    found.answers = [(503, {})]
    with pytest.raises(WebhookError) as error:
        send(found, patience=0)
    assert error.value.message == "the webhook at 127.0.0.1 was not told (tried once): status 503"


def test_one_that_is_not_there_is_given_up_in_one_line() -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    assert "Connection refused" in refused(f"http://127.0.0.1:{port}{SECRET}", private=True)


def test_one_that_refuses_is_not_asked_again_and_the_secret_is_not_repeated(found: Chat) -> None:
    found.answers = [(404, {})]
    assert "refuses it: status 404 no such thing as …" in refused(found.url, private=True)
    assert len(found.paths) == 1


@pytest.mark.parametrize(
    ("location", "told"),
    [
        ("http://127.0.0.1:{port}/elsewhere/secret-part", "redirects to 127.0.0.1, which is not followed"),
        ("http://169.254.169.254/latest/meta-data/secret-part", "redirects to 169.254.169.254, which is not followed"),
        ("https://other.example/secret-part", "redirects to other.example, which is not followed"),
        ("/elsewhere/secret-part", "redirects, which is not followed"),
        ("http://[half", "redirects, which is not followed"),
    ],
)
@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_not_followed(found: Chat, status: int, location: str, told: str) -> None:
    found.answers = [(status, {"Location": location.format(port=found.port)})]
    assert told in refused(found.url, private=True)
    assert found.paths == [SECRET], "asked once, and nobody else"


@pytest.mark.parametrize(
    "address",
    [
        *(
            "127.0.0.1",
            "10.0.0.5",
            "172.16.0.1",
            "192.168.1.1",
            "169.254.169.254",
            "100.64.0.1",
            "0.0.0.0",
            "224.0.0.1",
        ),
        *("::1", "fe80::1%eth0", "fd00::1", "::ffff:169.254.169.254", "64:ff9b::a9fe:a9fe", "2002:7f00:1::"),
    ],
)
def test_what_is_inside_a_network_is_not_connected_to(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    connected = resolve(monkeypatch, address)
    assert "which is inside a network" in refused(f"https://chat.example{SECRET}")
    assert connected == []


def test_a_name_that_means_both_is_not_connected_to(monkeypatch: pytest.MonkeyPatch) -> None:
    connected = resolve(monkeypatch, "93.184.216.34", "10.0.0.5")
    refused(f"https://chat.example{SECRET}")
    assert connected == []


def test_the_address_that_was_looked_at_is_the_one_that_is_connected_to(monkeypatch: pytest.MonkeyPatch) -> None:
    connected = resolve(monkeypatch, "93.184.216.34", "2606:2800:220:1::1")
    refused(f"https://chat.example{SECRET}")
    assert connected == ["93.184.216.34", "2606:2800:220:1::1"]


def test_plain_http_leaves_this_network_never(monkeypatch: pytest.MonkeyPatch) -> None:
    connected = resolve(monkeypatch, "93.184.216.34")
    assert "is not https" in refused(f"http://chat.example{SECRET}")
    assert "is not https" in refused(f"http://chat.example{SECRET}", private=True)
    assert connected == []


@pytest.mark.parametrize(
    "url", ["", "nonsense", "https://", "https://chat.example:x/y", "https://a b/c", "https://[::1/x"]
)
def test_what_is_no_address_is_refused(url: str) -> None:
    assert "is no address" in refused(f"{url}") or "is not https" in refused(url)


def test_a_user_in_the_address_is_refused() -> None:
    assert "has a user in its address" in refused(f"https://ada:secret-part@chat.example{SECRET}")


def test_a_proxy_of_the_environment_is_left_alone(found: Chat, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    send(found)
    assert found.told == [PAYLOAD]


def test_a_certificate_of_nobody_is_refused(tls: tuple[int, str]) -> None:
    port, _ = tls
    assert "has a wrong certificate" in refused(f"https://localhost:{port}{SECRET}", private=True)


def test_a_certificate_of_the_name_is_taken(tls: tuple[int, str]) -> None:
    port, authority = tls
    Webhook.parse(f"https://localhost:{port}{SECRET}", private=True, ca=authority).send(PAYLOAD, patience_seconds=0)


def test_every_pause_is_within_a_minute() -> None:
    assert max(webhook.PAUSES) * 1.25 < 60

"""The metadata service as cloud-init and the AWS SDKs meet it, over a real socket."""

import http.client
import json
import socket
from collections.abc import Iterator
from ipaddress import IPv4Address

import pytest

from localcloud.imds import ImdsServer
from tests.worlds import FakeWorld, an_instance

TTL = "X-aws-ec2-metadata-token-ttl-seconds"
TOKEN = "X-aws-ec2-metadata-token"


class Client:
    def __init__(self, port: int) -> None:
        self.port = port

    def ask(self, method: str, path: str, headers: dict[str, str] | None = None) -> tuple[int, str]:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=5)
        connection.request(method, path, headers=headers or {})
        answer = connection.getresponse()
        return answer.status, answer.read().decode()

    def get(self, path: str) -> str:
        _, token = self.ask("PUT", "/latest/api/token", {TTL: "60"})
        status, text = self.ask("GET", path, {TOKEN: token})
        assert status == 200, f"{path}: {status}"
        return text


@pytest.fixture
def world() -> FakeWorld:
    world = FakeWorld()
    world.machines = [an_instance(private_ip=IPv4Address("127.0.0.1"))]
    return world


@pytest.fixture
def client(world: FakeWorld) -> Iterator[Client]:
    listening = socket.create_server(("127.0.0.1", 0))
    server = ImdsServer(world, listening)
    server.start()
    yield Client(listening.getsockname()[1])
    server.stop()


def test_a_request_without_a_token_is_refused_when_the_template_says_so(client: Client) -> None:
    assert client.ask("GET", "/latest/meta-data/instance-id") == (401, "")


def test_a_request_without_a_token_is_answered_when_tokens_are_optional(client: Client, world: FakeWorld) -> None:
    world.machines = [an_instance(private_ip=world.machines[0].private_ip, http_tokens="optional")]
    assert client.ask("GET", "/latest/meta-data/instance-id") == (200, "i-0aaa")


def test_an_invented_token_is_refused(client: Client) -> None:
    assert client.ask("GET", "/latest/meta-data/instance-id", {TOKEN: "invented"})[0] == 401


@pytest.mark.parametrize("ttl", ["", "0", "21601", "soon"])
def test_a_token_needs_a_life_time_within_six_hours(client: Client, ttl: str) -> None:
    assert client.ask("PUT", "/latest/api/token", {TTL: ttl})[0] == 400


def test_a_token_request_through_a_proxy_is_refused(client: Client) -> None:
    assert client.ask("PUT", "/latest/api/token", {TTL: "60", "X-Forwarded-For": "1.2.3.4"})[0] == 403


def test_an_unknown_caller_learns_nothing(client: Client, world: FakeWorld) -> None:
    world.machines = []
    assert client.ask("PUT", "/latest/api/token", {TTL: "60"}) == (404, "")


def test_a_disabled_endpoint_answers_403(client: Client, world: FakeWorld) -> None:
    world.machines = [an_instance(private_ip=world.machines[0].private_ip, http_endpoint="disabled")]
    assert client.ask("PUT", "/latest/api/token", {TTL: "60"})[0] == 403


def test_user_data_comes_as_it_was_given(client: Client) -> None:
    assert client.get("/2021-03-23/user-data") == "#cloud-config\n"


def test_versions_include_the_one_that_cloud_init_asks_for(client: Client) -> None:
    assert "2021-03-23" in client.get("/").splitlines()


def test_the_crawl_of_cloud_init_finds_every_listing(client: Client) -> None:
    mac = "0e:00:0a:00:01:05"
    assert client.get("/2021-03-23/meta-data/network/interfaces/macs/").splitlines() == [f"{mac}/"]
    assert client.get(f"/2021-03-23/meta-data/network/interfaces/macs/{mac}/local-ipv4s") == "127.0.0.1"
    assert client.get("/2021-03-23/dynamic/instance-identity/") == "document"
    assert client.get("/2021-03-23/meta-data/public-keys/") == "0=operator"
    assert client.get("/2021-03-23/meta-data/public-keys/0/openssh-key").startswith("ssh-ed25519 ")


def test_the_identity_document_names_instance_and_region(client: Client) -> None:
    document = json.loads(client.get("/latest/dynamic/instance-identity/document"))
    assert (document["instanceId"], document["region"]) == ("i-0aaa", "us-east-1")


def test_role_credentials_are_made_once_and_kept(client: Client, world: FakeWorld) -> None:
    assert client.get("/latest/meta-data/iam/security-credentials/") == "serving-node"
    for _ in range(3):
        found = json.loads(client.get("/latest/meta-data/iam/security-credentials/serving-node"))
    assert found["AccessKeyId"] == "ASIATEST"
    assert world.credentials_asked == 1


def test_tags_are_there_only_when_the_template_enables_them(client: Client, world: FakeWorld) -> None:
    assert client.get("/latest/meta-data/tags/instance/slipway-role") == "serving"
    assert "tags/" in client.get("/latest/meta-data/").splitlines()


def test_without_a_role_there_is_no_iam_folder(client: Client, world: FakeWorld) -> None:
    world.machines = [an_instance(private_ip=world.machines[0].private_ip, role_arn=None, instance_metadata_tags=False)]
    listing = client.get("/latest/meta-data/").splitlines()
    assert "iam/" not in listing
    assert "tags/" not in listing

"""What must not be reachable, tried from where an attacker would stand."""

import http.client
import re
import socket
from typing import Any
from urllib.parse import urlsplit

import boto3
import pytest
import requests

from contract import PATHS, PORTS, USERS
from localcloud.network import METADATA, RESOLVER
from ops.nodes import Node
from tests.machines.live import Live

PROBE_SECONDS = 2
# The address from which somebody outside the network asks; nothing in the VPC's own range.
OUTSIDE = RESOLVER


def opens(stack: Live, address: str, port: int, source: str = "") -> bool:
    """Whether a connection from inside the local cloud's network, beside all machines, is accepted."""

    def connect() -> bool:
        try:
            socket.create_connection((address, port), PROBE_SECONDS, (source, 0) if source else None).close()
        except OSError:
            return False
        return True

    return stack.network.inside(connect)


def reaches(stack: Live, node: Node, address: str, port: int) -> bool:
    """Whether a connection from a node is accepted."""
    probe = f"timeout {PROBE_SECONDS} bash -c '</dev/tcp/{address}/{port}'"
    return stack.shell(node, "bash", "-c", probe, check=False).ok


def raw(stack: Live, path: str) -> tuple[int, bytes]:
    """The status and body of a path that no client library has tidied."""
    split = urlsplit(stack.url)
    connection = http.client.HTTPConnection(split.hostname or "", split.port, timeout=30)
    connection.putrequest("GET", path)
    connection.endheaders()
    answer = connection.getresponse()
    found = answer.status, answer.read()
    connection.close()
    return found


def server_pid(stack: Live, node: Node) -> str:
    slot = stack.activation(node)["slot"]
    return stack.shell(node, "systemctl", "show", "-P", "MainPID", f"model-server@{slot}.service").stdout.strip()


def in_server(stack: Live, node: Node, *command: str) -> Any:
    """A command as the server's user, in the server's own network."""
    enter = ["nsenter", f"--target={server_pid(stack, node)}", "--net", "--"]
    user = ["setpriv", f"--reuid={USERS.server}", f"--regid={USERS.server}", "--clear-groups"]
    return stack.shell(node, *enter, *user, *command, check=False)


@pytest.fixture(scope="module")
def node(stack: Live) -> Node:
    return stack.nodes("serving")[0]


@pytest.fixture(scope="module")
def tracking(stack: Live) -> Node:
    return stack.nodes("tracking")[0]


def test_operations_stay_inside(stack: Live) -> None:
    for path in ("/metrics", "/livez", "/readyz"):
        answer = requests.get(f"{stack.url}{path}", timeout=30)
        assert answer.status_code == 404, path
        assert answer.headers["Content-Type"].startswith("application/json")


@pytest.mark.parametrize(
    "path", ["/models/../readyz", "/v2/../metrics", "/predict/../livez", "//readyz", "/v2/..%2freadyz", "/%72eadyz"]
)
def test_no_spelling_of_a_path_opens_them(stack: Live, path: str) -> None:
    status, body = raw(stack, path)
    assert status in (400, 404), f"{path}: {status} {body[:200]!r}"
    assert b"alive" not in body


def test_mlflow_asks_for_a_password(stack: Live) -> None:
    for path in (
        "/",
        "/api/2.0/mlflow/experiments/search?max_results=1",
        "/ajax-api/2.0/mlflow/users/get?username=admin",
    ):
        assert requests.get(f"{stack.mlflow_url}{path}", timeout=60).status_code == 401, path
    wrong = requests.get(f"{stack.mlflow_url}/", auth=("admin", "password1234"), timeout=60)
    assert wrong.status_code == 401


def test_only_the_tracking_node_reaches_the_database(stack: Live, node: Node, tracking: Node) -> None:
    database = boto3.client("rds").describe_db_instances()["DBInstances"][0]
    host, port = database["Endpoint"]["Address"], database["Endpoint"]["Port"]
    address = stack.shell(tracking, "getent", "ahostsv4", host).stdout.split()[0]
    assert reaches(stack, tracking, address, port), "the probe itself works"
    assert not reaches(stack, node, address, port)
    assert not opens(stack, address, port, OUTSIDE)
    assert database["PubliclyAccessible"] is False


def test_ssh_is_for_the_operators_range_only(stack: Live, node: Node, tracking: Node) -> None:
    for each in (node, tracking):
        assert opens(stack, each.address, PORTS.ssh), "an operator gets in"
        assert not opens(stack, each.address, PORTS.ssh, OUTSIDE)
    assert not reaches(stack, node, tracking.address, PORTS.ssh), "not from node to node"


def test_only_the_balancer_reaches_nginx(stack: Live, node: Node, tracking: Node) -> None:
    assert not reaches(stack, tracking, node.address, PORTS.node_http)
    assert not reaches(stack, node, tracking.address, PORTS.node_http)
    assert not opens(stack, node.address, PORTS.node_http, OUTSIDE)


def test_nothing_else_of_a_node_listens(stack: Live, node: Node, tracking: Node) -> None:
    for each in (node, tracking):
        listening = [line.split()[3] for line in stack.shell(each, "ss", "-Hltn").stdout.splitlines()]
        outside = {at.rpartition(":")[2] for at in listening if not at.startswith(("127.", "[::1]"))}
        assert outside == {str(PORTS.ssh), str(PORTS.node_http)}, listening


def test_gunicorn_answers_on_its_socket_alone(stack: Live, node: Node) -> None:
    found = stack.shell(node, "ss", "-Hltnp").stdout
    assert "python" not in found
    mode = stack.shell(node, "stat", "-c", "%a", "/run/slipway").stdout.strip()
    assert mode.endswith("0"), f"others cannot reach the sockets: {mode}"


def test_the_metadata_service_refuses_version_1(stack: Live, node: Node) -> None:
    curl = ["curl", "-s", "-o", "/dev/null", "-w", "%{http_code}", f"http://{METADATA}/latest/meta-data/"]
    assert stack.shell(node, *curl).stdout == "401"


def test_the_server_has_no_network_and_no_credentials(stack: Live, node: Node) -> None:
    assert stack.shell(node, "curl", "-s", "-m", "3", f"http://{METADATA}/", check=False).ok, "the node reaches it"
    assert not in_server(stack, node, "curl", "-s", "-m", "3", f"http://{METADATA}/").ok
    api = in_server(stack, node, "bash", "-c", "timeout 3 bash -c '</dev/tcp/169.254.169.250/4566'")
    assert not api.ok
    links = in_server(stack, node, "ls", "/proc/self/net/dev").ok and in_server(
        stack, node, "cat", "/proc/self/net/dev"
    )
    assert re.findall(r"^\s*(\w+):", links.stdout, re.MULTILINE) == ["lo"]


def test_the_servers_process_holds_no_secret(stack: Live, node: Node) -> None:
    environment = stack.shell(node, "cat", f"/proc/{server_pid(stack, node)}/environ").stdout
    assert "AWS" not in environment


def test_the_server_unit_is_hardened(stack: Live, node: Node) -> None:
    slot = stack.activation(node)["slot"]
    said = stack.shell(node, "systemd-analyze", "security", "--no-pager", f"model-server@{slot}.service").stdout
    exposure = re.search(r"Overall exposure level for \S+: ([\d.]+)", said)
    assert exposure is not None, said[-300:]
    assert float(exposure[1]) <= 1.0


def test_the_server_runs_as_nobody_who_owns_anything(stack: Live, node: Node) -> None:
    user = stack.shell(node, "ps", "-o", "user=", "-p", server_pid(stack, node)).stdout.strip()
    assert user.startswith(USERS.server[:7])
    folders = ("/opt/slipway", "/var/lib/slipway", "/etc/slipway")
    owned = stack.shell(node, "find", *folders, "-user", USERS.server, "-not", "-path", f"{PATHS.predictions}*")
    assert owned.stdout == "", "but the prediction log, which is off"


def test_no_secret_is_in_user_data_or_on_a_command_line(stack: Live, tracking: Node) -> None:
    login = stack.environment()["MLFLOW_TRACKING_PASSWORD"]
    for each in (*stack.nodes("serving"), tracking):
        everything = stack.shell(each, "sh", "-c", "cat /var/lib/cloud/instance/user-data.txt /proc/[0-9]*/cmdline")
        assert login not in everything.stdout.replace("\0", " ")
    journal = stack.shell(tracking, "journalctl", "--no-pager", "-o", "cat").stdout
    assert login not in journal

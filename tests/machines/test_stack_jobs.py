"""Asynchronous predictions, turned on in a stack that serves: accepted, answered, closed, and not lost with the broker.

They stay on for the tests after these, which look at every call that nodes make and at what a destroy leaves.
"""

import json
import re
from typing import TYPE_CHECKING, Any

import boto3
import pytest
import requests

from contract import HEADERS, PATHS, PORTS, S3
from infra.jobs import INLINE_BYTES
from ops.environment import STACK
from ops.nodes import Node
from tests.machines import models
from tests.machines.live import Live
from tests.machines.models import Deployed
from tests.machines.test_stack_ansible import changes
from tests.machines.test_stack_closed import OUTSIDE, opens, reaches
from tests.waiting import until

if TYPE_CHECKING:
    from ops.example import Trained

JSON = {"Content-Type": "application/json"}
ENDED = ("succeeded", "failed", "cancelled")
# As who takes part: from the release's own packages, with the certificate and the file that the node was given.
CONNECT = """
import json, psycopg, sys
at = json.load(open("/run/slipway-secrets/jobs.json"))["database"]
user, database = sys.argv[1:]
password = open(at["passfile"]).read().strip().rpartition(":")[2]
try:
    psycopg.connect(host=at["host"], port=at["port"], user=user, dbname=database, password=password,
                    sslmode="verify-full", sslrootcert=at["ca"], connect_timeout=5).close()
except psycopg.OperationalError as error:
    sys.exit(str(error))
"""


@pytest.fixture(scope="module", autouse=True)
def jobs(stack: Live) -> None:
    """One `up` brings them."""
    file = stack.checkout / f"Pulumi.{STACK}.yaml"
    kept = file.read_text()
    stack.pulumi("config", "set", "--stack", STACK, "--path", "slipway:jobs.enabled", "true")
    try:
        stack.make("release")
        stack.up()
    finally:
        file.write_text(kept)


@pytest.fixture
def broker(stack: Live) -> Node:
    (found,) = stack.nodes("broker")
    return found


@pytest.fixture
def node(stack: Live) -> Node:
    return stack.nodes("serving")[0]


def submit(stack: Live, body: bytes) -> str:
    """The address of an accepted job."""
    answer = until(lambda: _accepted(stack, body), "a job is accepted", 60)
    return str(answer.headers["Location"])


def _accepted(stack: Live, body: bytes) -> requests.Response | None:
    answer = requests.post(f"{stack.url}/invocations?async=true", data=body, headers=JSON, timeout=30)
    assert answer.status_code in (202, 503), f"{answer.status_code} {answer.text}"
    return answer if answer.status_code == 202 else None


def ended(stack: Live, address: str, seconds: float = 60) -> dict[str, Any]:
    def state() -> dict[str, Any] | None:
        answer = requests.get(f"{stack.url}{address}", timeout=30)
        found: dict[str, Any] = answer.json() if answer.ok else {}
        return found if found.get("state") in ENDED else None

    return until(state, f"{address} ends", seconds)


def announced() -> tuple[str, int]:
    """The broker's address, and how often one was written."""
    found = boto3.client("ssm").get_parameter(Name=f"/slipway/{STACK}/broker-address")["Parameter"]
    return str(found["Value"]), int(found["Version"])


def test_a_job_through_the_balancer_is_answered_with_its_version(
    stack: Live, example: "Trained", first: Deployed
) -> None:
    body = models.body(example.rows)
    now = requests.post(f"{stack.url}/invocations", data=body, headers=JSON, timeout=30)
    address = submit(stack, body)
    job = ended(stack, address)
    assert job["state"] == "succeeded", job
    assert (job["deployment"], job["model"]) == (now.headers[HEADERS.deployment], now.headers[HEADERS.model])
    assert job["deployment"] == first.id
    result = requests.get(f"{stack.url}{address}/result", timeout=30)
    assert result.json() == now.json() == {"predictions": [pytest.approx(first.value)]}
    assert requests.get(f"{stack.url}/jobs/health", timeout=30).status_code == 404, "that is for the node alone"


def test_a_large_job_goes_through_the_bucket(stack: Live, example: "Trained") -> None:
    many = models.body(example.rows, len(example.rows))
    assert len(many) > INLINE_BYTES
    job = ended(stack, submit(stack, many))
    assert job["state"] == "succeeded", job
    kept = boto3.client("s3").list_objects_v2(Bucket=stack.outputs["bucket"], Prefix=f"{S3.jobs}{job['id']}/")
    assert kept["KeyCount"] >= 1


def test_only_serving_nodes_reach_the_broker(stack: Live, broker: Node, node: Node) -> None:
    (tracking,) = stack.nodes("tracking")
    assert announced()[0] == broker.address
    assert reaches(stack, node, broker.address, PORTS.broker), "the probe itself works"
    assert not reaches(stack, tracking, broker.address, PORTS.broker)
    for port in (PORTS.broker, PORTS.broker_management, 5672, 4369, 25672):
        assert not opens(stack, broker.address, port, OUTSIDE)
        assert not opens(stack, broker.address, port)
    listening = [line.split()[3] for line in stack.shell(broker, "ss", "-Hltn").stdout.splitlines()]
    outside = {at.rpartition(":")[2] for at in listening if not at.startswith(("127.", "[::1]"))}
    assert outside == {str(PORTS.ssh), str(PORTS.broker)}, listening


def test_the_broker_knows_no_default_password(stack: Live, broker: Node) -> None:
    pages = f"http://127.0.0.1:{PORTS.broker_management}/api/whoami"
    answer = stack.shell(broker, "curl", "-s", "-o", "/dev/null", "-w", "%{http_code}", "-u", "guest:guest", pages)
    assert answer.stdout == "401"
    login = json.loads(stack.shell(broker, "cat", f"{PATHS.broker}/login.json").stdout)
    config = f'user = "{login["username"]}:{login["password"]}"\n'
    assert json.loads(stack.shell(broker, "curl", "-s", "-K", "-", pages, input=config).stdout)["tags"] == [
        "monitoring"
    ]
    assert login["password"] not in stack.shell(broker, "sh", "-c", "cat /proc/[0-9]*/cmdline").stdout
    journal = stack.shell(broker, "journalctl", "--no-pager", "-o", "cat").stdout
    assert login["password"] not in journal


@pytest.mark.parametrize(
    ("user", "database", "why"),
    [
        ("slipway_jobs", "jobs", ""),
        ("slipway_jobs", "mlflow", "permission denied"),
        ("mlflow", "mlflow", "password authentication failed"),
        ("slipway", "postgres", "password authentication failed"),
    ],
)
def test_a_serving_node_is_in_the_database_what_jobs_need_and_nobody_else(
    stack: Live, node: Node, user: str, database: str, why: str
) -> None:
    path = f"PYTHONPATH={PATHS.jobs}/src:{PATHS.jobs}/lib"
    said = stack.shell(node, "env", path, "python3", "-c", CONNECT, user, database, check=False)
    assert said.ok == (not why), said.stderr
    assert why in said.stderr


@pytest.mark.parametrize(
    ("unit", "turn"), [("slipway-jobs.service", ["TS", "3"]), ("slipway-worker.service", ["IDL", "-"])]
)
def test_what_takes_jobs_is_hardened_and_gives_way(stack: Live, node: Node, unit: str, turn: list[str]) -> None:
    said = stack.shell(node, "systemd-analyze", "security", "--no-pager", unit).stdout
    exposure = re.search(r"Overall exposure level for \S+: ([\d.]+)", said)
    assert exposure is not None, said[-300:]
    assert float(exposure[1]) <= 2.0
    process = stack.shell(node, "systemctl", "show", "-P", "MainPID", unit).stdout.strip()
    assert stack.shell(node, "ps", "-o", "cls=,ni=", "-p", process).stdout.split() == turn


def test_the_playbook_finds_nothing_to_change(stack: Live) -> None:
    printed = stack.playbook("site.yml", "--check", "--diff").stdout
    assert [*changes(printed).values()] == [0, 0, 0, 0], printed


def test_a_broker_that_dies_is_replaced_and_no_job_is_lost(
    stack: Live, broker: Node, example: "Trained", first: Deployed
) -> None:
    _, before = announced()
    stack.kill(broker)
    waiting = [submit(stack, models.body(example.rows)) for _ in range(3)]
    until(lambda: announced()[1] > before, "another broker is up", 120)
    assert broker.id not in {each.id for each in stack.nodes("broker")}
    for address in waiting:
        job = ended(stack, address, 120)
        assert (job["state"], job["deployment"]) == ("succeeded", first.id), job

"""The pipeline node, turned on in a stack that serves: closed, triggered in each of its ways, and nothing lost.

On demand, for Airflow's packages and its runs take minutes: SLIPWAY_TEST_PIPELINE=1.
"""

import json
import os
import re
from pathlib import Path
from typing import Any

import boto3
import pytest
from mlflow import MlflowClient

from contract import PATHS, PORTS, USERS
from ops.environment import STACK
from ops.nodes import Node
from ops.stack import Stack
from tests.machines.live import Live
from tests.machines.models import Deployed
from tests.machines.recipes import followed
from tests.machines.test_stack_ansible import changes
from tests.machines.test_stack_closed import OUTSIDE, opens
from tests.waiting import until

WANTED = "SLIPWAY_TEST_PIPELINE"
pytestmark = pytest.mark.skipif(os.environ.get(WANTED) != "1", reason=f"it installs and runs Airflow: {WANTED}=1")
ALIAS, MODEL = "champion", "diabetes-progression"
UNITS = ("slipway-airflow-api", "slipway-airflow-scheduler", "slipway-airflow-dags", "slipway-training-listener")
API = f"http://127.0.0.1:{PORTS.airflow}"
PYTHON = f"{PATHS.bin}/slipway-training-python"
SETTINGS = {
    "pipeline.enabled": "true",
    "pipeline.schedules.spam": "30 4 1 1 *",
    "pipeline.debounceSeconds": "3",
}
TURNED_ON, THE_REST = slice(1), slice(1, None)
"""Of the recipe's blocks."""
COLUMNS = "age, sex, bmi, bp, s1, s2, s3, s4, s5, s6, target"
INSERT = f"INSERT INTO diabetes ({COLUMNS}) SELECT {COLUMNS} FROM diabetes LIMIT"
ASK = """
import os, psycopg, sys
with psycopg.connect(os.environ["SLIPWAY_TRAINING_DATA_DIABETES"]) as connection:
    cursor = connection.execute(sys.argv[1])
    print(*(cursor.fetchone() or ()) if cursor.description else ())
"""
MEMORY = """
import sys
from pathlib import Path
total = 0
for process in Path("/proc").glob("[0-9]*"):
    try:
        if any(f"/{unit}.service" in (process / "cgroup").read_text() for unit in sys.argv[1:]):
            total += int((process / "smaps_rollup").read_text().partition("\\nPss:")[2].split()[0])
    except OSError:
        pass
print(total // 1024)
"""


@pytest.fixture(scope="module", autouse=True)
def pipeline(stack: Live, tmp_path_factory: pytest.TempPathFactory) -> None:
    """One `up` brings it: the recipe's. The releases are built before, for that may take longer than a recipe may."""
    file = stack.checkout / f"Pulumi.{STACK}.yaml"
    kept = file.read_text()
    stack.configure(SETTINGS)
    try:
        stack.make("release")
        followed(stack, "training", tmp_path_factory.mktemp("recipe"), TURNED_ON)
    finally:
        file.write_text(kept)


@pytest.fixture
def node(stack: Live) -> Node:
    (found,) = stack.nodes("pipeline")
    return found


def python(stack: Live, node: Node, *words: str) -> str:
    """What the user of the pipelines runs with what a training has."""
    return str(stack.shell(node, "runuser", "-u", USERS.pipeline, "--", PYTHON, *words).stdout).strip()


def rows(stack: Live, node: Node, statement: str) -> str:
    return python(stack, node, "-c", ASK, statement)


def ask(stack: Live, node: Node, path: str, body: Any = None, token: str = "") -> tuple[int, Any]:
    """Airflow's API, as an operator asks it on the node. What is secret goes by standard input."""
    lines = [f'url = "{API}{path}"', 'write-out = "\\n%{http_code}"', "silent"]
    lines += ['header = "Content-Type: application/json"']
    lines += [f'header = "Authorization: Bearer {token}"'] if token else []
    lines += [f"data = {json.dumps(json.dumps(body))}"] if body is not None else []
    said = stack.shell(node, "curl", "-K", "-", input="\n".join(lines)).stdout
    content, _, status = said.rpartition("\n")
    return int(status), json.loads(content or "null")


def secrets_of(stack: Live) -> dict[str, str]:
    arn = Stack(stack.state).outputs()["pipeline_secret_arn"]
    found: dict[str, str] = json.loads(boto3.client("secretsmanager").get_secret_value(SecretId=arn)["SecretString"])
    return found


def login(stack: Live) -> dict[str, str]:
    found = secrets_of(stack)
    return {name: found[name] for name in ("username", "password")}


@pytest.fixture
def token(stack: Live, node: Node) -> str:
    status, answer = ask(stack, node, "/auth/token", login(stack))
    assert status == 201, answer
    return str(answer["access_token"])


def runs(stack: Live, node: Node, token: str, dag: str = "diabetes") -> dict[str, str]:
    status, answer = ask(stack, node, f"/api/v2/dags/{dag}/dagRuns?limit=100", token=token)
    assert status == 200, answer
    return {run["dag_run_id"]: run["state"] for run in answer["dag_runs"]}


def ended(stack: Live, node: Node, token: str, run: str) -> dict[str, str]:
    """The tags of a run in MLflow, once Airflow says that it has ended well."""
    states = until(
        lambda: found if (found := runs(stack, node, token)).get(run) in ("success", "failed") else None,
        lambda: f"{run} ends: {runs(stack, node, token)}",
        600,
    )
    (known,) = MlflowClient().search_runs(
        [MlflowClient().get_experiment_by_name("diabetes").experiment_id], f"tags.`slipway.training` = '{run}'"
    )
    assert states[run] == "success", known.data.tags
    tags: dict[str, str] = dict(known.data.tags)
    return tags


def test_the_api_wants_its_password_and_answers_on_the_node_alone(stack: Live, node: Node, token: str) -> None:
    assert ask(stack, node, "/api/v2/dags")[0] == 401
    assert ask(stack, node, "/auth/token", {**login(stack), "password": "admin"})[0] == 401
    status, answer = ask(stack, node, "/api/v2/dags", token=token)
    assert status == 200
    found = {dag["dag_id"]: dag["timetable_summary"] for dag in answer["dags"]}
    assert found == {"diabetes": "0 5 * * 1", "spam": "30 4 1 1 *"}, "the settings' word counts before the file's"
    listening = [line.split()[3] for line in stack.shell(node, "ss", "-Hltn").stdout.splitlines()]
    outside = {at.rpartition(":")[2] for at in listening if not at.startswith(("127.", "[::1]"))}
    assert outside == {str(PORTS.ssh)}, listening
    assert not opens(stack, node.address, PORTS.airflow, OUTSIDE)


def test_no_secret_is_in_a_command_line_an_environment_or_the_journal(stack: Live, node: Node) -> None:
    secrets = secrets_of(stack)
    del secrets["username"]
    shown = stack.shell(node, "sh", "-c", "cat /proc/[0-9]*/cmdline /proc/[0-9]*/environ 2>/dev/null || true").stdout
    journal = stack.shell(node, "journalctl", "--no-pager", "-o", "cat").stdout
    assert [name for name, value in secrets.items() if value in shown or value in journal] == []
    files = stack.shell(node, "sh", "-c", f"stat -c '%a %U %n' {PATHS.secrets}/*").stdout.splitlines()
    assert {line.rpartition(" ")[0] for line in files} == {f"600 {USERS.pipeline}"}, files


@pytest.mark.parametrize("unit", UNITS)
def test_what_runs_pipelines_is_hardened(stack: Live, node: Node, unit: str) -> None:
    said = stack.shell(node, "systemd-analyze", "security", "--no-pager", f"{unit}.service").stdout
    exposure = re.search(r"Overall exposure level for \S+: ([\d.]+)", said)
    assert exposure is not None, said[-300:]
    assert float(exposure[1]) <= 2.5


def test_a_run_by_the_api_trains_on_the_table_and_ends_with_a_model_that_is_served(
    stack: Live, node: Node, token: str, first: Deployed
) -> None:
    assert "442 rows written" in python(stack, node, "-m", "ops.training", "seed", "diabetes")
    wanted = {"dag_run_id": "asked", "logical_date": None}
    status, answer = ask(stack, node, "/api/v2/dags/diabetes/dagRuns", wanted, token)
    assert status == 200, answer
    tags = ended(stack, node, token, "asked")
    assert tags["slipway.data"].endswith("/training"), tags["slipway.data"]
    version = str(MlflowClient().get_model_version_by_alias(MODEL, ALIAS).version)
    assert tags["slipway.version"] == version
    stack.until_idle()
    models = {entry["name"]: entry["version"] for entry in stack.store.manifest(stack.store.pointer())["models"]}
    assert models[MODEL] == version
    memory = int(stack.shell(node, "python3", "-c", MEMORY, *UNITS[:3]).stdout)
    print(f"Airflow takes {memory} MiB")
    assert memory <= 1228


def test_rows_that_are_inserted_begin_exactly_one_run_that_says_why_nothing_changes(
    stack: Live, node: Node, token: str
) -> None:
    triggers = "SELECT count(*) FROM pg_trigger WHERE tgname = 'slipway_announce_diabetes'"
    until(lambda: rows(stack, node, triggers) == "1", "the listener follows the table", 60)
    before = runs(stack, node, token)
    for _ in range(3):
        rows(stack, node, f"{INSERT} 1")
    new = until(lambda: runs(stack, node, token).keys() - before.keys(), "a run begins", 60)
    (run,) = new
    tags = ended(stack, node, token, run)
    assert tags["slipway.rows"] == "445"
    assert tags["slipway.because"], "why"
    assert runs(stack, node, token).keys() - before.keys() == new


def test_rows_that_come_while_airflow_and_the_listener_are_away_are_not_lost(
    stack: Live, node: Node, token: str
) -> None:
    before = runs(stack, node, token)
    stack.shell(node, "systemctl", "stop", "slipway-training-listener", "slipway-airflow-api")
    rows(stack, node, f"{INSERT} 2")
    stack.shell(node, "systemctl", "start", "slipway-training-listener")
    until(
        lambda: "Airflow does not answer" in stack.shell(node, "journalctl", "-u", "slipway-training-listener").stdout,
        "the listener meets no Airflow",
        60,
    )
    assert rows(stack, node, "SELECT count(*) FROM slipway_outbox") == "1"
    stack.shell(node, "systemctl", "start", "slipway-airflow-api")
    until(lambda: rows(stack, node, "SELECT count(*) FROM slipway_outbox") == "0", "Airflow takes the run", 90)
    (run,) = runs(stack, node, token).keys() - before.keys()
    assert run.startswith("rows-")


def test_the_recipe_schedules_and_triggers_trainings(stack: Live, node: Node, token: str, tmp_path: Path) -> None:
    """Each of its ways; the table may have rows already, and the champion be no worse."""
    before = runs(stack, node, token)
    printed = followed(stack, "training", tmp_path, THE_REST)
    assert "0 5 * * 1" in printed, "when it is due"
    assert '"run": "monday-1"' in printed, "the report of the run that was asked for"
    assert '"predictions"' in printed.splitlines()[-1]
    assert ended(stack, node, token, "monday-1")["slipway.data"].endswith("/training")
    (run,) = until(
        lambda: [each for each in runs(stack, node, token).keys() - before.keys() if each.startswith("rows-")],
        "the row begins a run",
        60,
    )
    ended(stack, node, token, run)


def test_the_status_says_that_it_is_ready(stack: Live, node: Node) -> None:
    said = stack.run("slipway", "status", check=False).stdout
    assert f"pipelines  {node.name} running, ready" in said, said


def test_the_playbook_finds_nothing_to_change(stack: Live) -> None:
    changed = changes(stack.playbook("site.yml", "--check", "--diff").stdout)
    assert {*changed.values()} == {0}, changed

"""The DAGs of the pipelines in the real Apache Airflow: they parse, and one runs to its end."""

import json
import os
import sys
from pathlib import Path

import pytest
from mlflow import MlflowClient

from ops.training.order import NOTIFY, PYTHON, WORK
from tests.machines.airflow_rig import Airflow, installed
from tests.unit.test_rollout_settings import OUTPUT

WANTED = "SLIPWAY_TEST_AIRFLOW"
pytestmark = pytest.mark.skipif(os.environ.get(WANTED) != "1", reason=f"it installs Airflow, 220 MB: {WANTED}=1")
PARSE = """
import json, sys
try:
    from airflow.dag_processing.dagbag import DagBag
except ImportError:
    from airflow.models.dagbag import DagBag
bag = DagBag(sys.argv[1])
dags = {
    name: {
        "schedule": dag.schedule,
        "retries": {task.task_id: task.retries for task in dag.tasks},
        "after": {task.task_id: sorted(task.downstream_task_ids) for task in dag.tasks},
        "rules": {task.task_id: task.trigger_rule.value for task in dag.tasks},
        "at_once": dag.max_active_runs,
        "catchup": dag.catchup,
    }
    for name, dag in bag.dags.items()
}
print(json.dumps({"errors": bag.import_errors, "dags": dags}))
"""


@pytest.fixture(scope="module")
def airflow(tmp_path_factory: pytest.TempPathFactory) -> Airflow:
    found = Airflow(installed(), tmp_path_factory.mktemp("airflow"))
    found.run("db", "migrate")
    return found


@pytest.fixture
def pipelines(tmp_path: Path) -> dict[str, str]:
    """The variables of a task: an MLflow in a folder, and a stack that follows no alias."""
    stack = {"region": "us-east-1", "delivery": {**OUTPUT, "follow_alias": False}}
    tool = tmp_path / "bin" / "pulumi"
    tool.parent.mkdir()
    tool.write_text(f"#!/bin/sh\necho '{json.dumps(stack)}'\n")
    tool.chmod(0o755)
    store = f"sqlite:///{tmp_path}/store.db"
    MlflowClient(store).create_experiment("spam", artifact_location=str(tmp_path / "artifacts"))
    return {
        "PATH": f"{tool.parent}{os.pathsep}{os.environ['PATH']}",
        "MLFLOW_TRACKING_URI": store,
        PYTHON: sys.executable,
    }


def test_every_pipeline_is_a_dag_with_the_steps_in_their_order(airflow: Airflow) -> None:
    found = json.loads(airflow.script(PARSE, airflow.environment({})["AIRFLOW__CORE__DAGS_FOLDER"]).splitlines()[-1])
    assert found["errors"] == {}
    assert sorted(found["dags"]) == ["diabetes", "spam"]
    for dag in found["dags"].values():
        chain = dict(zip(WORK, [[each] for each in WORK[1:]], strict=False))
        assert dag["after"] == {**chain, WORK[-1]: sorted(["ended", NOTIFY]), NOTIFY: ["ended"], "ended": []}
        assert dag["rules"] == {**dict.fromkeys((*WORK, "ended"), "all_success"), NOTIFY: "all_done"}
        assert dag["retries"] == {**dict.fromkeys((*WORK, NOTIFY), 2), "ended": 0}
        assert (dag["at_once"], dag["catchup"]) == (1, False)
    assert found["dags"]["diabetes"]["schedule"] == "0 3 * * *"


def test_a_run_of_a_dag_trains_registers_and_moves_the_alias(
    airflow: Airflow, pipelines: dict[str, str], tmp_path: Path
) -> None:
    done = airflow.run("dags", "test", "spam", **pipelines)
    client = MlflowClient(pipelines["MLFLOW_TRACKING_URI"])
    version = client.get_model_version_by_alias("spam", "champion")
    assert str(version.version) == "1", done.stdout
    run = client.get_run(version.run_id)
    assert run.info.status == "FINISHED"
    assert run.data.tags["slipway.training"].startswith("manual__")
    assert all(f"slipway.step.{step}" in run.data.tags for step in WORK)

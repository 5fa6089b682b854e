"""One DAG of Apache Airflow for each pipeline beside this folder: its schedule, and the steps as its tasks.

Airflow has an environment of its own (`pipelines/airflow/`), so nothing of ours is imported here but what needs Python
alone, and each task starts the project's own Python. What one step leaves for the next is in MLflow, under the id of
the DAG's run: a task that is retried, or cleared, goes on from there.
"""

import json
import os
import sys
from datetime import timedelta
from pathlib import Path

from airflow.providers.standard.operators.bash import BashOperator
from airflow.providers.standard.operators.empty import EmptyOperator
from airflow.sdk import DAG, chain

ROOT = Path(__file__).resolve().parents[2]
sys.path.append(str(ROOT))

from ops.training import outline  # noqa: E402
from ops.training.order import NOTIFY, PYTHON, SCHEDULES, WORK  # noqa: E402

RETRIES = {"retries": 2, "retry_delay": timedelta(minutes=1), "retry_exponential_backoff": True}
OWN = json.loads(Path(os.environ[SCHEDULES]).read_text()) if os.environ.get(SCHEDULES) else {}
TAGS = ["slipway", "training"]


def task(step: str, pipeline: str, **more: object) -> BashOperator:
    """The run's id comes through the environment: whoever triggers a run may name it, and no shell reads that name."""
    return BashOperator(
        task_id=step,
        bash_command=f'exec "${PYTHON}" -m ops.training {step} {pipeline} --run "$SLIPWAY_RUN"',
        env={"SLIPWAY_RUN": "{{ run_id }}", PYTHON: os.environ.get(PYTHON, str(ROOT / ".venv" / "bin" / "python"))},
        append_env=True,
        cwd=str(ROOT),
        **more,
    )


def dag(found: outline.Outline) -> DAG:
    """Without a date to start from its first run is the next that is due, and none of before is caught up with.

    `notify` runs also after a failure, so it does not decide on the run: `ended`, the only leaf, does.
    """
    with DAG(
        dag_id=found.name,
        schedule=OWN.get(found.name, found.schedule),
        catchup=False,
        max_active_runs=1,
        default_args=RETRIES,
        description=found.summary,
        tags=TAGS,
    ) as made:
        work = [task(step, found.name) for step in WORK]
        told = task(NOTIFY, found.name, trigger_rule="all_done")
        ended = EmptyOperator(task_id="ended", retries=0)
        chain(*work, told, ended)
        chain(work[-1], ended)
    return made


for each in outline.all_of():
    if isinstance(each, outline.Outline):
        globals()[each.name] = dag(each)
    else:
        print(f"no DAG for {each.name}: {each.reason}", file=sys.stderr)

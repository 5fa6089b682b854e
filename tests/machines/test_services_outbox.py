"""The outbox on a real PostgreSQL: what inserts leave there, and what the listener makes of it."""

import os
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from ipaddress import IPv4Address
from typing import Any

import psycopg
import pytest

from localcloud.database.ca import ca_path
from localcloud.database.postgres import Postgres
from localcloud.image import Image
from ops.pipelines import outbox
from ops.pipelines.airflow import Airflow, NotAcceptedError
from ops.pipelines.facts import Facts
from ops.pipelines.listener import Listener
from tests.machines.services import Lab, lab
from tests.waiting import until
from tests.worlds import DATABASE

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="needs root")
RECORD = replace(
    DATABASE, id="training", address=IPv4Address("10.0.3.5"), database="training", master_user="slipway_training"
)
PASSWORD = "of the training role"
FACTS = Facts(
    stack="test",
    region="us-east-1",
    tracking_parameter="",
    mlflow_admin_secret_arn="",
    mlflow_url=None,
    database_host="",
    database_port=5432,
    database_name="",
    database_secret_arn="",
    delivery={},
    pipeline={"schedules": {}, "tables": {"diabetes": "diabetes", "spam": "spam"}, "debounce_seconds": 1},
)


class Scheduler(Airflow):
    """Airflow as the listener sees it: `away`, it takes nothing; `deaf`, it takes a run and its answer is lost."""

    def __init__(self) -> None:
        self.runs: list[tuple[str, str]] = []
        self.away = self.deaf = False

    def begin(self, dag: str, run: str, note: str) -> bool:
        if self.away:
            raise NotAcceptedError("Airflow does not answer: refused")
        new = (dag, run) not in self.runs
        self.runs += [(dag, run)] if new else []
        if self.deaf:
            raise NotAcceptedError("Airflow does not answer: timed out")
        return new


@dataclass
class Stage:
    lab: Lab
    airflow: Scheduler = field(default_factory=Scheduler)
    said: list[dict[str, Any]] = field(default_factory=list)

    def listener(self) -> Listener:
        return Listener(FACTS, self.airflow, lambda event, **about: self.said.append({"event": event, **about}))

    def sql(self, statement: str) -> list[tuple[Any, ...]]:
        def run() -> list[tuple[Any, ...]]:
            with self.connect() as connection:
                cursor = connection.execute(statement.encode())
                return cursor.fetchall() if cursor.description else []

        found: list[tuple[Any, ...]] = self.lab.network.inside(run)
        return found

    def turn(self, listener: Listener) -> bool:
        """What the listener does each time that it wakes. Whether anything is left."""

        def run() -> bool:
            with self.connect() as connection:
                outbox.prepare(connection)
                return listener.work(connection)

        return bool(self.lab.network.inside(run))

    def until_empty(self, listener: Listener) -> None:
        until(lambda: not self.turn(listener), lambda: f"the outbox is empty: {self.said}", 30)

    def connect(self) -> psycopg.Connection[Any]:
        return psycopg.connect(
            host=RECORD.host,
            hostaddr=str(RECORD.address),
            user="slipway_training",
            dbname="training",
            password=PASSWORD,
            sslmode="verify-full",
            sslrootcert=str(ca_path(self.lab.state)),
            autocommit=True,
        )


@pytest.fixture(scope="module")
def database() -> Iterator[Lab]:
    with lab() as found, ExitStack() as ends:
        postgres = Postgres(RECORD, found.network, Image(), found.state)
        ends.callback(postgres.remove)
        postgres.create("slipway_training", PASSWORD)
        yield found


@pytest.fixture
def stage(database: Lab) -> Stage:
    made = Stage(database)
    made.sql("DROP TABLE IF EXISTS diabetes, spam, other, slipway_outbox")
    made.sql("CREATE TABLE diabetes (bmi float)")
    made.turn(made.listener())
    return made


def test_rows_that_come_together_begin_one_run_and_leave_nothing_behind(stage: Stage) -> None:
    listener = stage.listener()
    for _ in range(3):
        stage.sql("INSERT INTO diabetes SELECT g FROM generate_series(1, 100) AS g")
    assert stage.turn(listener), "more may come"
    assert stage.airflow.runs == []
    stage.until_empty(listener)
    ((pipeline, run),) = stage.airflow.runs
    assert (pipeline, run[:5]) == ("diabetes", "rows-")
    assert stage.said[-1] == {"event": "begun", "pipeline": "diabetes", "run": run, "inserts": 3}
    stage.sql("INSERT INTO diabetes VALUES (1)")
    stage.until_empty(listener)
    assert len({run for _, run in stage.airflow.runs}) == 2, "later rows begin another"


def test_what_inserts_nothing_or_is_undone_leaves_nothing(stage: Stage) -> None:
    stage.sql("INSERT INTO diabetes SELECT 1 WHERE false")
    stage.sql("DO $$ BEGIN INSERT INTO diabetes VALUES (1); ROLLBACK; END $$")
    stage.sql("UPDATE diabetes SET bmi = 2")
    assert stage.sql("SELECT count(*) FROM slipway_outbox") == [(0,)]


def test_an_airflow_that_is_away_loses_nothing_and_is_told_of_once(stage: Stage) -> None:
    listener = stage.listener()
    stage.airflow.away = True
    stage.sql("INSERT INTO diabetes VALUES (1)")

    def told() -> list[dict[str, Any]]:
        return [each for each in stage.said if each.get("about") == "diabetes"]

    until(lambda: stage.turn(listener) and told(), "it is told")
    stage.sql("INSERT INTO diabetes VALUES (2)")
    for _ in range(3):
        stage.turn(listener)
    assert len(told()) == 1
    stage.airflow.away = False
    stage.until_empty(listener)
    assert 1 <= len(stage.airflow.runs) <= 2


def test_rows_that_come_while_no_listener_runs_begin_a_run_once_one_does(stage: Stage) -> None:
    stage.sql("INSERT INTO diabetes VALUES (1)")
    stage.until_empty(stage.listener())
    assert len(stage.airflow.runs) == 1


def test_a_listener_that_dies_before_it_hears_that_the_run_was_taken_begins_no_other(stage: Stage) -> None:
    stage.airflow.deaf = True
    stage.sql("INSERT INTO diabetes VALUES (1)")
    listener = stage.listener()
    until(lambda: stage.turn(listener) and stage.airflow.runs, "Airflow has the run")
    stage.airflow.deaf = False
    stage.until_empty(stage.listener())
    assert len(stage.airflow.runs) == 1
    assert stage.said[-1]["event"] == "begun before"


def test_rows_that_never_cease_put_a_run_off_for_a_while_only(stage: Stage) -> None:
    stage.sql("INSERT INTO slipway_outbox (pipeline, inserted) VALUES ('diabetes', now() - interval '11 seconds')")
    stage.sql("INSERT INTO diabetes VALUES (1)")
    assert stage.turn(stage.listener()) is False
    assert len(stage.airflow.runs) == 1


def test_a_table_that_comes_later_is_followed_then_and_one_that_is_no_longer_followed_is_left_alone(
    stage: Stage,
) -> None:
    listener = stage.listener()
    stage.turn(listener)
    assert stage.said[-1] == {"event": "waiting", "about": "tables", "message": "no table spam yet"}
    stage.sql("CREATE TABLE spam (text text)")
    stage.turn(listener)
    stage.sql("INSERT INTO spam VALUES ('hello')")
    assert stage.sql("SELECT pipeline FROM slipway_outbox") == [("spam",)]
    stage.until_empty(listener)
    alone = replace(FACTS, pipeline={**FACTS.pipeline, "tables": {"diabetes": "diabetes"}})
    listener.facts = alone
    stage.turn(listener)
    stage.sql("INSERT INTO spam VALUES ('again')")
    assert stage.sql("SELECT count(*) FROM slipway_outbox") == [(0,)]


def test_an_insert_of_another_role_needs_no_right_to_the_outbox(stage: Stage) -> None:
    stage.sql("DROP ROLE IF EXISTS feeder")
    stage.sql("CREATE ROLE feeder")
    stage.sql("GRANT feeder TO CURRENT_USER")
    stage.sql("GRANT INSERT ON diabetes TO feeder")
    stage.sql("SET ROLE feeder; INSERT INTO diabetes VALUES (1)")
    assert stage.sql("SELECT pipeline FROM slipway_outbox") == [("diabetes",)]

"""PostgreSQL in RDS's place, reached over the network as a node reaches it."""

import os
import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from urllib.parse import quote, urlencode

import psycopg
import pytest
from pandas import DataFrame

from localcloud.database import DatabaseController, ca_path
from localcloud.image import Image
from ops.errors import UserError
from ops.training import database as training
from ops.training.table import Table
from tests.machines.services import Lab, lab
from tests.waiting import eventually, until
from tests.worlds import DATABASE, FakeWorld

PASSWORD = "first'pass\\word:x"
pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="needs root")


@dataclass
class Stage:
    lab: Lab
    world: FakeWorld
    controller: DatabaseController

    def turn(self) -> None:
        self.controller.reconcile()

    @property
    def status(self) -> str:
        return self.world.database_records[0].status if self.world.database_records else "gone"

    def query(self, sql: str, password: str, **options: str) -> object:
        """The first value of a query, made from inside the namespace with the host name verified."""
        wanted = {
            "host": DATABASE.host,
            "hostaddr": str(DATABASE.address),
            "port": "5432",
            "user": "slipway",
            "dbname": "mlflow",
            "sslmode": "verify-full",
            "sslrootcert": str(ca_path(self.lab.state)),
            "connect_timeout": "3",
            **options,
        }

        def ask() -> object:
            with psycopg.connect(password=password, **wanted) as connection:  # type: ignore[arg-type]
                cursor = connection.execute(sql.encode())
                row = cursor.fetchone() if cursor.description else None
                return row[0] if row else None

        return self.lab.network.inside(ask)


@pytest.fixture
def stage() -> Iterator[Stage]:
    with lab() as found:
        world = FakeWorld()
        world.set_password(PASSWORD)
        world.database_records = [DATABASE]
        controller = DatabaseController(world, found.network, Image(), found.state)
        stage = Stage(found, world, controller)
        try:
            took = eventually(lambda: stage.status == "available", "an available database", stage.turn, 40)
            print(f"available after {took:.1f} s")
            yield stage
        finally:
            controller.stop()
            print(found.state.log("database-tracking").read_text())


def test_the_master_user_logs_in_over_verified_tls_and_owns_the_database(stage: Stage) -> None:
    assert stage.query("SELECT ssl::text FROM pg_stat_ssl WHERE pid = pg_backend_pid()", PASSWORD) == "true"
    assert stage.query("SELECT rolsuper::text FROM pg_roles WHERE rolname = 'slipway'", PASSWORD) == "false"
    stage.query("CREATE ROLE app LOGIN", PASSWORD, sslmode="require")


def test_a_connection_without_tls_is_refused(stage: Stage) -> None:
    with pytest.raises(psycopg.OperationalError, match="no encryption"):
        stage.query("SELECT 1", PASSWORD, sslmode="disable", sslrootcert="")


def test_a_wrong_password_is_refused(stage: Stage) -> None:
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        stage.query("SELECT 1", "wrong")


def test_a_rotation_is_followed_at_the_next_turn(stage: Stage) -> None:
    stage.world.set_password("second")
    stage.turn()
    assert stage.query("SELECT 1", "second") == 1
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        stage.query("SELECT 1", PASSWORD)


def test_it_does_not_listen_on_the_host_and_no_password_is_in_a_process_list(stage: Stage) -> None:
    listing = subprocess.run(["ss", "-ltn"], capture_output=True, text=True, check=True).stdout
    assert str(DATABASE.address) not in listing
    processes = subprocess.run(["ps", "-eo", "args"], capture_output=True, text=True, check=True).stdout
    assert "first'pass" not in processes.replace(__file__, "")


def test_an_outage_keeps_the_data(stage: Stage) -> None:
    def up() -> bool:
        try:
            return stage.query("SELECT a FROM kept", PASSWORD) == 42
        except psycopg.OperationalError:
            return False

    stage.query("CREATE TABLE kept AS SELECT 42 AS a", PASSWORD)
    outage = stage.lab.state.faults / "database"
    outage.parent.mkdir()
    outage.touch()
    eventually(lambda: not up(), "the database to be down", stage.turn)
    outage.unlink()
    eventually(up, "the database after the outage", stage.turn)


def address_of(stage: Stage, port: int = 5432) -> str:
    where = {"hostaddr": str(DATABASE.address), "sslmode": "verify-full", "sslrootcert": str(ca_path(stage.lab.state))}
    return f"postgresql://slipway:{quote(PASSWORD)}@{DATABASE.host}:{port}/mlflow?{urlencode(where)}"


def test_a_training_table_is_seeded_once_and_read_as_it_was_written(stage: Stage) -> None:
    address = address_of(stage)
    columns: dict[str, type] = {"age": float, "visits": int, "note": str, "target": bool}
    rows = DataFrame({"age": [0.1, 1e-9], "visits": [3, 2**40], "note": ["a\tb\\N", "ü"], "target": [True, False]})
    inside = stage.lab.network.inside
    assert inside(lambda: training.seed(address, "visits", rows, columns)) == 2
    assert inside(lambda: training.seed(address, "visits", rows, columns)) == 0, "one that has rows stays as it is"
    found = Table(columns, "target", 0.2)
    read = inside(lambda: training.read(address, "visits", columns))
    assert read.to_dict("records") == rows.to_dict("records")
    stage.query("UPDATE visits SET age = 'NaN' WHERE visits = 3", PASSWORD)
    with pytest.raises(UserError, match="1 of 2 rows has no value in column age: row"):
        found.checked(inside(lambda: training.read(address, "visits", columns)))
    unknown: dict[str, dict[str, type]] = {"nowhere": columns, "visits": {"weight": float}}
    for table, wanted in unknown.items():
        with pytest.raises(UserError, match="does not exist") as refused:
            inside(partial(training.read, address, table, wanted))
        assert "first" not in str(refused.value)


def test_a_training_table_that_is_not_as_it_must_be_is_one_line(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    columns: dict[str, type] = {"age": float, "note": str, "target": bool}
    monkeypatch.setattr(training, "READ_SECONDS", 1)

    def validate(port: int) -> None:
        rows = stage.lab.network.inside(partial(training.read, address_of(stage, port), "sales", columns))
        Table(columns, "target", 0.2).checked(rows)

    def refused(port: int = 5432) -> str:
        with pytest.raises(UserError) as error:
            validate(port)
        assert not [secret for secret in (PASSWORD, quote(PASSWORD)) if secret in str(error.value)]
        assert "\n" not in error.value.message
        return error.value.message

    stage.query("CREATE TABLE sales (age text, note text, target boolean)", PASSWORD)
    assert refused() == "the training table is empty"
    stage.query("INSERT INTO sales SELECT '7', 'n', g % 2 = 0 FROM generate_series(1, 30) AS g", PASSWORD)
    stage.query("INSERT INTO sales VALUES ('n/a', 'n', true)", PASSWORD)
    assert refused() == "1 of 31 rows has a age that is not a number: row 31, like 'n/a'"
    stage.query("INSERT INTO sales VALUES ('8', NULL, NULL)", PASSWORD)
    assert refused().startswith("1 of 32 rows has no value in column note: row 32")
    locked = "BEGIN; LOCK TABLE sales IN ACCESS EXCLUSIVE MODE; SELECT pg_sleep(3)"
    with ThreadPoolExecutor(1) as pool:
        holding = pool.submit(stage.query, locked, PASSWORD)
        held = "SELECT count(*) FROM pg_locks WHERE mode = 'AccessExclusiveLock' AND relation = 'sales'::regclass"
        until(lambda: stage.query(held, PASSWORD), "the table is locked", 10)
        assert refused().endswith("cannot be asked: canceling statement due to statement timeout")
        holding.result()
    assert "Connection refused" in refused(port=5433)


def test_a_deleted_database_leaves_nothing(stage: Stage) -> None:
    stage.world.database_records = [replace(DATABASE, status="deleting")]
    told: list[str] = []

    def said(database_id: str, status: str, reason: str = "") -> None:
        told.append(status)

    stage.world.set_database_status = said  # type: ignore[method-assign]
    eventually(lambda: told == ["deleting"], "the database to be gone", stage.turn)
    assert not stage.lab.state.database("tracking").exists()
    assert [name for name in stage.lab.network.namespaces() if name != stage.lab.network.netns] == []

"""What the pipeline node prepares: its logins, against a cloud of moto's own, and the files that all start from."""

import configparser
import json
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from moto import mock_aws
from psycopg.conninfo import conninfo_to_dict

from infra.pipeline import PipelineSettings
from infra.reading import Section
from ops import notify, postgres
from ops.errors import UserError
from ops.nodes import Node
from ops.pipelines import announce, files, prepare, secret
from ops.pipelines.airflow import Airflow
from ops.pipelines.facts import Facts, read
from ops.status import pipelines

REGION = "us-east-1"
ADDRESS = "/slipway/test/pipeline-address"
TRACKING = "/slipway/test/tracking-address"
MASTER = {"username": "slipway", "password": "of all"}
ADMIN = {"username": "admin", "password": "mlflow's own", "flask_secret_key": "x", "database_password": "y"}
SETTINGS = {"schedules": {"diabetes": "0 5 * * *", "spam": "off"}, "tables": {"diabetes": "diabetes"}}


@pytest.fixture
def cloud(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "test")
    with mock_aws():
        yield


@pytest.fixture
def told(cloud: None) -> dict[str, Any]:
    """The facts of a node whose stack has never had one, and whose tracking node has yet to come up."""
    secrets, ssm = boto3.client("secretsmanager", REGION), boto3.client("ssm", REGION)
    arns = {name: secrets.create_secret(Name=name)["ARN"] for name in ("pipeline", "mlflow-admin", "master")}
    secrets.put_secret_value(SecretId="master", SecretString=json.dumps(MASTER))
    for name in (ADDRESS, TRACKING):
        ssm.put_parameter(Name=name, Value="pending", Type="String")
    problems: list[Any] = []
    settings = PipelineSettings.read(Section("slipway:pipeline", SETTINGS, problems))
    assert problems == []
    return {
        "stack": "test",
        "region": REGION,
        "tracking_parameter": TRACKING,
        "mlflow_admin_secret_arn": arns["mlflow-admin"],
        "mlflow_url": "https://mlflow.example.com",
        "database_host": "db.internal",
        "database_port": 5432,
        "database_name": "mlflow",
        "database_secret_arn": arns["master"],
        "delivery": {"follow_alias": True},
        "pipeline": {"secret_arn": arns["pipeline"], "address_parameter": ADDRESS, **settings.facts()},
    }


@pytest.fixture
def facts(told: dict[str, Any], tmp_path: Path) -> Facts:
    file = tmp_path / "facts.json"
    file.write_text(json.dumps({**told, "role": "pipeline"}))
    return read(file)


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, str]]:
    """Which roles the database was asked to have, and with whose login they would be made."""
    found: list[tuple[str, str]] = []

    def ensure(server: Any, owner: postgres.Owner, password: str, master: Any) -> None:
        found.append((owner.database, master()[0]))

    monkeypatch.setattr(postgres, "ensure", ensure)
    return found


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    place = tmp_path / "secrets"
    place.mkdir()
    real = files.write_all

    def here(node: Facts, made: secret.PipelineSecret, mlflow: tuple[str, str, str], chat: str) -> bool:
        return real(node, made, mlflow, chat, place)

    monkeypatch.setattr(files, "write_all", here)
    monkeypatch.setattr("ops.private.shutil.chown", lambda path, owner, group: None)
    return place


def tracking_is_up(facts: Facts, address: str = "10.0.0.7") -> None:
    facts.aws("ssm").put_parameter(Name=TRACKING, Value=address, Type="String", Overwrite=True)
    facts.aws("secretsmanager").put_secret_value(SecretId=facts.mlflow_admin_secret_arn, SecretString=json.dumps(ADMIN))


def test_a_tracking_node_that_has_not_announced_itself_is_waited_for(facts: Facts, folder: Path) -> None:
    with pytest.raises(UserError, match="has not announced itself yet"):
        prepare.prepare(facts)
    assert list(folder.iterdir()) == []


def test_each_database_has_a_role_of_its_own_and_every_file_is_for_one_user_alone(
    facts: Facts, folder: Path, asked: list[tuple[str, str]]
) -> None:
    tracking_is_up(facts)
    assert prepare.prepare(facts)
    assert asked == [("airflow", "slipway"), ("training", "slipway")]
    names = ["airflow-users.json", "airflow.cfg", "airflow.pgpass", "schedules.json"]
    assert sorted(file.name for file in folder.iterdir()) == [
        *names,
        "slipway_training.pgpass",
        "training.json",
        "webhook",
    ]
    assert {stat.S_IMODE(file.stat().st_mode) for file in folder.iterdir()} == {0o600}
    assert prepare.prepare(facts) is False, "nothing is new"


def test_another_tracking_node_is_followed_and_the_keys_stay(
    facts: Facts, folder: Path, asked: list[tuple[str, str]]
) -> None:
    tracking_is_up(facts)
    prepare.prepare(facts)
    before = {file.name: file.read_text() for file in folder.iterdir()}
    tracking_is_up(facts, "10.0.0.8")
    assert prepare.prepare(facts)
    after = {file.name: file.read_text() for file in folder.iterdir()}
    assert {name for name in after if after[name] != before[name]} == {"training.json"}
    assert json.loads(after["training.json"])["MLFLOW_TRACKING_URI"] == "http://10.0.0.8:8080"


def test_a_chats_address_is_a_file_for_trainings_which_may_not_ask_the_cloud_for_it(
    facts: Facts, folder: Path, asked: list[tuple[str, str]]
) -> None:
    tracking_is_up(facts)
    prepare.prepare(facts)
    assert notify.FILE not in json.loads((folder / "training.json").read_text())
    client = facts.aws("secretsmanager")
    facts.delivery[notify.SECRET] = client.create_secret(Name="webhook")["ARN"]
    prepare.prepare(facts)
    assert (folder / "webhook").read_text() == "", "nobody has filled it yet"
    client.put_secret_value(SecretId="webhook", SecretString="https://chat.example.com/x")
    assert prepare.prepare(facts)
    assert (folder / "webhook").read_text() == "https://chat.example.com/x"
    known = json.loads((folder / "training.json").read_text())
    assert known[notify.FILE].endswith("/webhook")
    assert notify.PRIVATE not in known


def test_of_two_nodes_that_find_the_secret_empty_both_have_the_one_that_was_kept(
    facts: Facts, monkeypatch: pytest.MonkeyPatch
) -> None:
    client, arn = facts.aws("secretsmanager"), facts.pipeline["secret_arn"]
    first = secret.ensure(client, arn)
    assert secret.ensure(client, arn) == first
    assert secret.generate() != first
    assert len({first.password, first.jwt_secret, first.session_key, first.fernet_key}) == 4


def test_a_training_knows_its_table_where_its_pipeline_has_one_and_no_password_is_in_an_address(facts: Facts) -> None:
    known = files.training(facts, ("10.0.0.7", "admin", "p"), Path("/run/x"))
    assert "SLIPWAY_TRAINING_DATA_SPAM" not in known
    where = conninfo_to_dict(known["SLIPWAY_TRAINING_DATA_DIABETES"])
    assert (where["user"], where["dbname"], where["sslmode"]) == ("slipway_training", "training", "verify-full")
    assert where["passfile"] == "/run/x/slipway_training.pgpass"
    assert "password" not in where
    assert known["SLIPWAY_MLFLOW_PAGES"] == "https://mlflow.example.com"


def test_airflow_listens_on_the_node_alone_and_reads_its_keys_from_its_file(facts: Facts) -> None:
    made = secret.generate()
    parser = configparser.ConfigParser()
    parser.read_string(files.airflow(facts, made, Path("/run/x")))
    assert (parser["api"]["host"], parser["core"]["executor"]) == ("127.0.0.1", "LocalExecutor")
    assert parser["core"]["fernet_key"] == made.fernet_key
    assert parser["api_auth"]["jwt_secret"] == made.jwt_secret
    assert parser["core"]["simple_auth_manager_users"] == "admin:admin"
    for name in ("sql_alchemy_conn", "sql_alchemy_conn_async"):
        assert "airflow@db.internal:5432/airflow?passfile=/run/x/airflow.pgpass" in parser["database"][name]
        assert made.airflow_database_password not in parser["database"][name]
    assert "verify-full" in parser["database"]["sql_alchemy_conn_async"]


def test_facts_of_another_role_are_refused(told: dict[str, Any], tmp_path: Path) -> None:
    del told["pipeline"]
    file = tmp_path / "facts.json"
    file.write_text(json.dumps(told))
    with pytest.raises(UserError, match="lacks pipeline"):
        read(file)


class Unwell(Airflow):
    def __init__(self, said: str) -> None:
        self.said = said

    def unwell(self) -> str:
        return self.said


def test_the_address_is_written_once_all_of_airflow_is_well(facts: Facts) -> None:
    with pytest.raises(UserError, match="Airflow is not well: scheduler silent"):
        announce.announce(facts, Unwell("scheduler silent"))

    def written() -> str:
        return str(facts.aws("ssm").get_parameter(Name=ADDRESS)["Parameter"]["Value"])

    assert written() == "pending"
    own = announce.announce(facts, Unwell(""))
    assert written() == own


def test_the_node_is_one_line_of_the_status_and_none_where_there_is_none() -> None:
    node = Node(id="i-p", role="pipeline", state="running", address="10.0.0.1", zone="a", group=None)
    assert pipelines.words([node], lambda: "10.0.0.1") == "pipeline-i-p running, ready"
    assert pipelines.words([node], lambda: "pending") == "pipeline-i-p running, not ready"
    assert pipelines.words([], lambda: "10.0.0.1") == ""

"""The files that accepting and working start from, against a cloud of moto's own."""

import json
import shutil
import stat
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import boto3
import psycopg.conninfo
import pytest
from moto import mock_aws

from contract import PORTS
from jobs.node import broker, credentials
from jobs.node.announce import OWNER, ensure_secret
from jobs.node.facts import Facts, read
from ops.errors import UserError

REGION = "us-east-1"
PARAMETER = "/slipway/test/broker-address"
LIMITS = {"retention_hours": 24, "attempts": 5, "queue": 10, "inline_bytes": 64, "body_bytes": 99}
LOGIN = {"username": "slipway-jobs", "password": "p/w:1", "ca": "-----BEGIN CERTIFICATE-----\n"}
SERVER = {"host": "db.internal", "port": 5432}


@pytest.fixture
def node(monkeypatch: pytest.MonkeyPatch) -> Iterator[Facts]:
    """A node of a stack whose broker has never been up. Its users exist on nodes alone."""
    monkeypatch.setattr(shutil, "chown", lambda *_: None)
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "test")
    with mock_aws():
        secrets, ssm = boto3.client("secretsmanager", REGION), boto3.client("ssm", REGION)
        arns = {name: secrets.create_secret(Name=name)["ARN"] for name in ("broker", "jobs-database")}
        ssm.put_parameter(Name=PARAMETER, Value="pending", Type="String")
        jobs = {
            "release": "0" * 64,
            "broker_parameter": PARAMETER,
            "broker_secret_arn": arns["broker"],
            "database_secret_arn": arns["jobs-database"],
            "limits": LIMITS,
        }
        yield Facts("test", REGION, "bucket", jobs, {**SERVER, "name": "mlflow", "secret_arn": "master"})


def announce(node: Facts, address: str, login: dict[str, str]) -> None:
    secrets = node.aws("secretsmanager")
    ensure_secret(secrets, node)
    secrets.put_secret_value(SecretId=node.jobs["broker_secret_arn"], SecretString=json.dumps(login))
    node.aws("ssm").put_parameter(Name=PARAMETER, Value=address, Type="String", Overwrite=True)


def test_a_broker_that_has_not_announced_itself_is_waited_for(node: Facts, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="has not announced itself yet"):
        credentials.collect(node, tmp_path)
    ensure_secret(node.aws("secretsmanager"), node)
    with pytest.raises(UserError, match="has not announced itself yet"):
        credentials.collect(node, tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_the_file_is_what_the_two_sides_have_agreed_on(node: Facts, tmp_path: Path) -> None:
    announce(node, "10.20.64.9", LOGIN)
    assert credentials.collect(node, tmp_path)
    assert json.loads((tmp_path / "jobs.json").read_text()) == {
        "stack": "test",
        "broker": {
            "url": f"amqps://slipway-jobs:p%2Fw%3A1@10.20.64.9:{PORTS.broker}/slipway",
            "ca": f"{tmp_path}/broker-ca.pem",
        },
        "database": {
            **SERVER,
            "name": "jobs",
            "user": "slipway_jobs",
            "passfile": f"{tmp_path}/jobs.pgpass",
            "ca": "/etc/slipway/rds-ca.pem",
        },
        "bucket": "bucket",
        "prefix": "jobs/",
        "model_server": "/run/slipway/current.sock",
        "limits": LIMITS,
    }
    assert (tmp_path / "broker-ca.pem").read_text() == LOGIN["ca"]
    assert (tmp_path / "jobs.env").read_text() == f"AWS_DEFAULT_REGION={REGION}\n"


@pytest.mark.parametrize(("told", "limits"), [(0, LIMITS), (3, {**LIMITS, "concurrency": 3})])
def test_how_many_jobs_it_has_at_a_time_is_a_workers_own_unless_it_is_told(
    node: Facts, tmp_path: Path, told: int, limits: dict[str, int]
) -> None:
    announce(node, "10.20.64.9", LOGIN)
    credentials.collect(replace(node, jobs={**node.jobs, "concurrency": told}), tmp_path)
    assert json.loads((tmp_path / "jobs.json").read_text())["limits"] == limits


def test_the_password_of_the_database_is_in_a_file_that_libpq_reads(node: Facts, tmp_path: Path) -> None:
    announce(node, "10.20.64.9", LOGIN)
    credentials.collect(node, tmp_path)
    passfile = tmp_path / "jobs.pgpass"
    assert stat.S_IMODE(passfile.stat().st_mode) == 0o600, "libpq ignores one that others may read"
    host, port, database, role, password = passfile.read_text().strip().split(":")
    assert (host, int(port), database, role) == ("db.internal", 5432, OWNER.database, OWNER.role)
    assert password == ensure_secret(node.aws("secretsmanager"), node)["password"]
    assert psycopg.conninfo.make_conninfo(password=password)


def test_the_same_announcement_changes_nothing_and_another_one_does(node: Facts, tmp_path: Path) -> None:
    announce(node, "10.20.64.9", LOGIN)
    assert credentials.collect(node, tmp_path)
    assert not credentials.collect(node, tmp_path)
    announce(node, "10.20.64.9", {**LOGIN, "password": "other"})
    assert credentials.collect(node, tmp_path), "a broker that was booted again has its old address and another login"
    assert "other@" in (tmp_path / "jobs.json").read_text()


def test_the_cloud_is_asked_only_when_the_broker_does_not_answer(
    node: Facts, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tried = []
    monkeypatch.setattr(broker, "require_answer", lambda *known: tried.append(known))
    announce(node, "10.20.64.9", LOGIN)
    assert credentials.follow(node, tmp_path), "the first time there is nothing to try"
    announce(node, "10.20.64.10", LOGIN)
    assert not credentials.follow(node, tmp_path), "the one that it knows is there"
    assert tried == [("10.20.64.9", LOGIN["ca"])]

    def gone(*_: str) -> None:
        raise UserError("RabbitMQ does not answer")

    monkeypatch.setattr(broker, "require_answer", gone)
    assert credentials.follow(node, tmp_path)
    assert "@10.20.64.10:" in (tmp_path / "jobs.json").read_text()


def test_the_login_at_the_database_outlives_the_broker_and_follows_the_database(node: Facts) -> None:
    secrets = node.aws("secretsmanager")
    first = ensure_secret(secrets, node)
    assert ensure_secret(secrets, node) == first
    moved = Facts(node.stack, node.region, node.bucket, node.jobs, {**node.database, "host": "restored.internal"})
    assert ensure_secret(secrets, moved) == {**first, "host": "restored.internal"}


def test_a_role_without_the_grants_is_one_clear_line(node: Facts, tmp_path: Path) -> None:
    unknown = Facts(node.stack, node.region, node.bucket, {**node.jobs, "broker_parameter": "/no/such"}, {})
    with pytest.raises(UserError, match=r"the logins of jobs cannot be read: .*ParameterNotFound"):
        credentials.collect(unknown, tmp_path)


def test_facts_are_read_as_first_boot_writes_them(tmp_path: Path) -> None:
    file = tmp_path / "facts.json"
    told: dict[str, Any] = {"stack": "a", "region": "b", "bucket": "c", "jobs": {"release": "d"}}
    file.write_text(json.dumps({**told, "database_host": "h", "database_secret_arn": "s"}))
    assert read(file) == Facts("a", "b", "c", {"release": "d"}, {"host": "h", "secret_arn": "s"})
    file.write_text(json.dumps({**told, "jobs": None}))
    with pytest.raises(UserError, match="takes no part"):
        read(file)

"""From a node's journal to the operator: with a role that may only add, and S3's own refusals."""

import json
import sys
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any, cast

import pytest
from click.testing import CliRunner
from slipway_node import journal
from slipway_node.cloud import Cloud, UnreachableError
from slipway_node.node import Node

from infra import policies
from ops import node_logs, store
from ops.cli import main
from ops.errors import UserError
from ops.store import Store
from tests.moto.cloud import ENVIRONMENT
from tests.moto.local_api import LocalApi

INSTANCE = "i-0123456789abcdef0"
STEP = 50 * 60.0
"""Seconds from one line of the journal to the next; the sixth is now."""
PREFIX = f"logs/serving/{INSTANCE}/"


@pytest.fixture
def at(api: LocalApi, monkeypatch: pytest.MonkeyPatch) -> Store:
    for name, value in {**ENVIRONMENT, "AWS_ENDPOINT_URL": api.endpoint}.items():
        monkeypatch.setenv(name, value)
    bucket = api.name("bucket")
    api.s3.create_bucket(Bucket=bucket)
    return Store("us-east-1", bucket, "/slipway/local/deployment")


@pytest.fixture
def cloud(api: LocalApi, at: Store, monkeypatch: pytest.MonkeyPatch) -> Cloud:
    """As a serving node has it, with the grant that the program gives. There botocore comes with awscli."""
    monkeypatch.setitem(sys.modules, "awscli", ModuleType("awscli"))
    role = api.role(json.loads(policies.logs(f"arn:aws:s3:::{at.bucket}", "serving")))
    made = Cloud(cast(Node, SimpleNamespace(bucket=at.bucket, region="us-east-1")))
    made._clients["s3"] = api.as_node("s3", role)
    return made


@pytest.fixture
def said(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    lines: list[str] = []
    first = time.time() - 5 * STEP

    def entries(after: str) -> Iterator[dict[str, Any]]:
        for number, message in enumerate(lines):
            if not after or number > int(after):
                micros = int((first + number * STEP) * 1e6)
                about = {"SYSLOG_IDENTIFIER": "cron" if message.startswith("minute") else "model-server-a"}
                yield {"__CURSOR": str(number), "__REALTIME_TIMESTAMP": str(micros), "MESSAGE": message, **about}

    monkeypatch.setattr(journal, "entries", entries)
    return lines


def test_what_a_node_said_is_read_after_its_end(at: Store, cloud: Cloud, said: list[str], tmp_path: Path) -> None:
    for minute in range(3):
        said.append(f"minute {minute}")
        journal.ship(cloud, tmp_path, PREFIX)
    (node,) = node_logs.shippers(at)
    assert (node.name, node.role, node.id) == (f"serving-{INSTANCE}", "serving", INSTANCE)
    lines = list(node_logs.read(at, INSTANCE))
    assert [line.message for line in lines] == ["minute 0", "minute 1", "minute 2"]
    since = lines[0].time + timedelta(seconds=30)
    assert [line.message for line in node_logs.read(at, INSTANCE, since=since)] == ["minute 1", "minute 2"]
    assert [line.message for line in node_logs.read(at, INSTANCE, until=since)] == ["minute 0"]
    newest = node_logs.read(at, INSTANCE, since=since, newest_first=True)
    assert [line.message for line in newest] == ["minute 2", "minute 1"]


@pytest.fixture
def dead(at: Store, cloud: Cloud, said: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A node that is gone: three requests, the last in the hour before its end; and lines that nobody asks for."""
    monkeypatch.setattr(store, "current", lambda: at)
    monkeypatch.setenv("SLIPWAY_STACK", "logs")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    for number in range(3):
        said.append(json.dumps({"message": f"answer {number}", "level": "warning", "request_id": f"r{number}"}))
        said.append("minute")
        journal.ship(cloud, tmp_path, PREFIX)
    return INSTANCE


def logs(*words: str, status: int = 0) -> str:
    done = CliRunner().invoke(main, ["logs", *words])
    assert done.exit_code == status, done.output
    return done.output


def answers(*words: str) -> list[str]:
    return [json.loads(line)["message"] for line in logs(*words, "--json").splitlines()]


def test_logs_of_a_node_that_is_gone_are_what_it_shipped(dead: str) -> None:
    since = ["--since", "2020-01-01"]
    assert answers(dead, *since) == ["answer 0", "answer 1", "answer 2"]
    assert answers(dead[-6:], *since, "-n", "2") == ["answer 1", "answer 2"]
    assert answers(f"serving-{dead}", *since, "--request-id", "r1") == ["answer 1"]
    (only,) = (json.loads(line) for line in logs(dead, "--since", "2020-01-01", "-n", "1", "--json").splitlines())
    assert (only["node"], only["source"], only["level"]) == (dead, "model-server-a", "warning")
    assert "answer 2 id=r2" in logs(dead, *since)


def test_without_a_time_it_is_the_hour_before_its_end(dead: str) -> None:
    assert answers(dead) == ["answer 2"]


def test_a_node_that_is_gone_writes_no_more_and_has_no_other_requests(dead: str) -> None:
    assert "is gone, and writes no more" in logs(dead, "--follow", status=1)
    assert "no line since 2020-01-01 has the request id r9" in logs(
        dead, "--since", "2020-01-01", "--request-id", "r9", status=1
    )


def test_a_node_that_never_was_is_an_error(dead: str) -> None:
    assert "there is no node i-0none" in logs("i-0none", status=1)


def test_a_file_that_is_there_is_not_written_over(cloud: Cloud) -> None:
    assert cloud.create(f"{PREFIX}one", b"first")
    assert not cloud.create(f"{PREFIX}one", b"second")


def test_a_node_may_not_write_the_logs_of_another_role(cloud: Cloud) -> None:
    with pytest.raises(UnreachableError, match=r"AccessDenied|403"):
        cloud.create("logs/tracking/i-0a/one", b"forged")


def test_a_node_that_has_shipped_nothing_is_an_error(at: Store) -> None:
    with pytest.raises(UserError, match="has shipped no logs"):
        list(node_logs.read(at, "i-0none"))

"""From a node's journal to the operator: with a role that may only add, and S3's own refusals."""

import json
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from slipway_node import journal
from slipway_node.cloud import Cloud, UnreachableError
from slipway_node.node import Node

from infra import policies
from ops import node_logs
from ops.errors import UserError
from ops.store import Store
from tests.moto.cloud import ENVIRONMENT
from tests.moto.local_api import LocalApi

INSTANCE = "i-0123456789abcdef0"
PREFIX = f"logs/serving/{INSTANCE}/"


@pytest.fixture
def at(api: LocalApi, monkeypatch: pytest.MonkeyPatch) -> Store:
    for name, value in {**ENVIRONMENT, "AWS_ENDPOINT_URL": api.endpoint}.items():
        monkeypatch.setenv(name, value)
    bucket = api.name("bucket")
    api.s3.create_bucket(Bucket=bucket)
    return Store("us-east-1", bucket, "/slipway/local/deployment")


@pytest.fixture
def cloud(api: LocalApi, at: Store) -> Cloud:
    """As a serving node has it, with the grant that the program gives."""
    role = api.role(json.loads(policies.logs(f"arn:aws:s3:::{at.bucket}", "serving")))
    made = Cloud(cast(Node, SimpleNamespace(bucket=at.bucket, region="us-east-1")))
    made._clients["s3"] = api.as_node("s3", role)
    return made


@pytest.fixture
def said(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    lines: list[str] = []

    def entries(after: str) -> Iterator[dict[str, Any]]:
        for number, message in enumerate(lines):
            if not after or number > int(after):
                micros = 1_795_000_000_000_000 + number * 60_000_000
                yield {"__CURSOR": str(number), "__REALTIME_TIMESTAMP": str(micros), "MESSAGE": message}

    monkeypatch.setattr(journal, "entries", entries)
    return lines


def test_what_a_node_said_is_read_after_its_end(at: Store, cloud: Cloud, said: list[str], tmp_path: Path) -> None:
    for minute in range(3):
        said.append(f"minute {minute}")
        journal.ship(cloud, tmp_path, PREFIX)
    (node,) = node_logs.shipped(at)
    assert (node.name, node.files) == (f"serving-{INSTANCE}", 3)
    lines = list(node_logs.read(at, INSTANCE))
    assert [line.message for line in lines] == ["minute 0", "minute 1", "minute 2"]
    since = lines[0].time + timedelta(seconds=30)
    assert [line.message for line in node_logs.read(at, INSTANCE, since=since)] == ["minute 1", "minute 2"]
    assert [line.message for line in node_logs.read(at, INSTANCE, until=since)] == ["minute 0"]


def test_a_file_that_is_there_is_not_written_over(cloud: Cloud) -> None:
    assert cloud.create(f"{PREFIX}one", b"first")
    assert not cloud.create(f"{PREFIX}one", b"second")


def test_a_node_may_not_write_the_logs_of_another_role(cloud: Cloud) -> None:
    with pytest.raises(UnreachableError, match=r"AccessDenied|403"):
        cloud.create("logs/tracking/i-0a/one", b"forged")


def test_a_node_that_has_shipped_nothing_is_an_error(at: Store) -> None:
    with pytest.raises(UserError, match="has shipped no logs"):
        list(node_logs.read(at, "i-0none"))

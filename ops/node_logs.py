"""The journals that nodes have shipped to S3: each minute and at shutdown, so that a dead node can still be read.

The node's side, and what a line holds, is cloud-init/bin/slipway_node/journal.py.
"""

import gzip
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import boto3
from botocore.exceptions import BotoCoreError, ClientError

from contract import S3
from ops.errors import UserError
from ops.store import Store

NAME = re.compile(
    rf"{re.escape(S3.logs)}(?P<role>[^/]+)/(?P<instance>[^/]+)/(?P<first>\d{{8}}T\d{{6}}\.\d{{6}}Z)-[0-9a-f]+\.jsonl\.gz"
)
TIME = "%Y%m%dT%H%M%S.%fZ"


@dataclass(frozen=True, kw_only=True)
class LogFile:
    """`first` is the time of its first line, `shipped` when it came."""

    key: str
    role: str
    instance: str
    first: datetime
    shipped: datetime


@dataclass(frozen=True, kw_only=True)
class Line:
    """`name` is the program's own in the journal (`nginx_access`, `model-server-a`), `priority` syslog's, 0 to 7."""

    time: datetime
    message: str
    name: str = ""
    unit: str = ""
    priority: int = 6


@dataclass(frozen=True, kw_only=True)
class Shipped:
    """What there is of one node; `last` is when it shipped last."""

    instance: str
    role: str
    first: datetime
    last: datetime
    files: int

    @property
    def name(self) -> str:
        """As `ops.nodes.Node` has it."""
        return f"{self.role}-{self.instance}"


def shipped(at: Store) -> list[Shipped]:
    """Every node that has shipped and whose logs are kept, the one that shipped last first."""
    by_node: dict[tuple[str, str], list[LogFile]] = {}
    for file in _files(at, S3.logs):
        by_node.setdefault((file.role, file.instance), []).append(file)
    found = [
        Shipped(
            instance=instance,
            role=role,
            first=min(file.first for file in files),
            last=max(file.shipped for file in files),
            files=len(files),
        )
        for (role, instance), files in by_node.items()
    ]
    return sorted(found, key=lambda node: node.last, reverse=True)


def read(at: Store, instance: str, since: datetime | None = None, until: datetime | None = None) -> Iterator[Line]:
    """The lines that a node has shipped, oldest first. Raises `UserError` when there is none of that node.

    Files before `since` are not fetched, but for the one that may end after it.
    """
    files = sorted(_of(at, instance), key=lambda file: file.key)
    if not files:
        raise UserError(
            f"{instance} has shipped no logs, or they are older than storage.logDays",
            "nodes ship each minute; `slipway logs` without a name lists those that have",
        )
    for file, following in zip(files, [*files[1:], None], strict=True):
        if (until and file.first > until) or (since and following and following.first < since):
            continue
        for line in _lines(at, file):
            if (since is None or line.time >= since) and (until is None or line.time <= until):
                yield line


def _of(at: Store, instance: str) -> list[LogFile]:
    roles = {prefix.removeprefix(S3.logs).rstrip("/") for prefix in _folders(at)}
    return [file for role in sorted(roles) for file in _files(at, f"{S3.logs}{role}/{instance}/")]


def _folders(at: Store) -> list[str]:
    pages = _client(at).get_paginator("list_objects_v2").paginate(Bucket=at.bucket, Prefix=S3.logs, Delimiter="/")
    return [each["Prefix"] for page in _asked(at, pages) for each in page.get("CommonPrefixes", [])]


def _files(at: Store, prefix: str) -> Iterator[LogFile]:
    pages = _client(at).get_paginator("list_objects_v2").paginate(Bucket=at.bucket, Prefix=prefix)
    for page in _asked(at, pages):
        for entry in page.get("Contents", []):
            if match := NAME.fullmatch(entry["Key"]):
                first = datetime.strptime(match["first"], TIME).replace(tzinfo=UTC)
                yield LogFile(
                    key=entry["Key"],
                    role=match["role"],
                    instance=match["instance"],
                    first=first,
                    shipped=entry["LastModified"],
                )


def _lines(at: Store, file: LogFile) -> Iterator[Line]:
    try:
        content = _client(at).get_object(Bucket=at.bucket, Key=file.key)["Body"].read()
    except (ClientError, BotoCoreError) as error:
        raise _refused(at, file.key, error) from error
    for text in gzip.decompress(content).splitlines():
        line = json.loads(text)
        yield Line(
            time=datetime.fromisoformat(line["time"]),
            message=line.get("message", ""),
            name=line.get("name", ""),
            unit=line.get("unit", ""),
            priority=int(line.get("priority") or 6),
        )


def _asked(at: Store, pages: Any) -> Iterator[Any]:
    try:
        yield from pages
    except (ClientError, BotoCoreError) as error:
        raise _refused(at, S3.logs, error) from error


def _refused(at: Store, key: str, error: Exception) -> UserError:
    return UserError(f"s3://{at.bucket}/{key}: {error}", "check the credentials and that the stack is up")


def _client(at: Store) -> Any:
    return boto3.client("s3", region_name=at.region)

"""The journals that nodes have shipped to S3: each minute and at shutdown, so that a dead node can still be read.

The node's side, and what a line holds, is cloud-init/bin/slipway_node/journal.py.
"""

import gzip
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import boto3

from contract import S3
from ops import s3
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
class Shipper:
    """A node that has shipped, whether it lives or not. Its names are as `ops.nodes.Node` has them."""

    id: str
    role: str

    @property
    def name(self) -> str:
        return f"{self.role}-{self.id}"


def shippers(at: Store) -> list[Shipper]:
    """Every node whose logs are kept, in the order of role and id; by the names of folders, without their files."""
    return [
        Shipper(id=folder.split("/")[-2], role=role.split("/")[-2])
        for role in _folders(at, S3.logs)
        for folder in _folders(at, role)
    ]


def read(
    at: Store,
    instance: str,
    since: datetime | timedelta | None = None,
    until: datetime | None = None,
    *,
    newest_first: bool = False,
) -> Iterator[Line]:
    """The lines that a node has shipped, oldest first. Raises `UserError` when there is none of that node.

    A length of time counts from when the node shipped last. Files are fetched as they are reached, and none that is
    outside.
    """
    files = sorted(_of(at, instance), key=lambda file: file.key)
    if not files:
        raise UserError(
            f"{instance} has shipped no logs, or they are older than storage.logDays", "nodes ship each minute"
        )
    if isinstance(since, timedelta):
        since = max(file.shipped for file in files) - since
    pairs = list(zip(files, [*files[1:], None], strict=True))
    for file, following in reversed(pairs) if newest_first else pairs:
        if (until and file.first > until) or (since and following and following.first < since):
            continue
        lines = _lines(at, file)
        for line in reversed(list(lines)) if newest_first else lines:
            if (since is None or line.time >= since) and (until is None or line.time <= until):
                yield line


def _of(at: Store, instance: str) -> list[LogFile]:
    return [file for role in _folders(at, S3.logs) for file in _files(at, f"{role}{instance}/")]


def _folders(at: Store, prefix: str) -> list[str]:
    pages = _client(at).get_paginator("list_objects_v2").paginate(Bucket=at.bucket, Prefix=prefix, Delimiter="/")
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
    with s3.asked(s3.url(at.bucket, file.key)):
        content = _client(at).get_object(Bucket=at.bucket, Key=file.key)["Body"].read()
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
    with s3.asked(s3.url(at.bucket, S3.logs)):
        yield from pages


def _client(at: Store) -> Any:
    return boto3.client("s3", region_name=at.region)

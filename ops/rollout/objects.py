"""Objects in the bucket that change: read with their version and S3's own time, written only over the version read.

Ages are told by S3's clock alone, from the `Date` of its answer: two operators' clocks need not agree.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

from contract import S3
from ops import s3
from ops.store import Store

CONFIG = Config(connect_timeout=5, read_timeout=10, retries={"mode": "standard", "max_attempts": 4})
Document = dict[str, Any]


@dataclass(frozen=True)
class Object:
    """A JSON object as S3 has it now. `version` is its entity tag, `modified` when it was written."""

    content: Document
    version: str
    modified: datetime
    now: datetime

    @property
    def age_seconds(self) -> float:
        return max(0.0, (self.now - self.modified).total_seconds())


@dataclass(frozen=True)
class Objects:
    at: Store

    def read(self, key: str) -> Object | None:
        """None when there is no such object. Raises `UserError` when S3 cannot be asked."""
        found = s3.get(self._client(), self.at.bucket, key)
        if found is None:
            return None
        body, answer = found
        return Object(json.loads(body), answer["ETag"], answer["LastModified"], _date(answer))

    def write(self, key: str, content: Document, over: Object | None) -> bool:
        """Writes it if the object is still what was read (None: still absent). Returns whether it was."""
        condition = {"IfMatch": over.version} if over else {"IfNoneMatch": "*"}
        return self._put(key, content, **condition)

    def put(self, key: str, content: Document) -> None:
        """Writes it whatever is there."""
        self._put(key, content)

    def delete(self, key: str) -> None:
        """Removes it; nothing happens when it is not there."""
        with s3.asked(s3.url(self.at.bucket, key)):
            self._client().delete_object(Bucket=self.at.bucket, Key=key)

    def keys(self, prefix: str) -> Iterator[str]:
        """In the order of their names."""
        pages = self._client().get_paginator("list_objects_v2").paginate(Bucket=self.at.bucket, Prefix=prefix)
        with s3.asked(s3.url(self.at.bucket, prefix)):
            for page in pages:
                yield from (entry["Key"] for entry in page.get("Contents", []))

    def now(self) -> datetime:
        """S3's own time, from its answer about the lock, there or not: the tracking node may not ask for the bucket."""
        with s3.asked(s3.url(self.at.bucket, S3.lock)):
            try:
                return _date(self._client().head_object(Bucket=self.at.bucket, Key=S3.lock))
            except ClientError as error:
                if s3.code(error) in s3.ABSENT:
                    return _date(error.response)
                raise

    def _put(self, key: str, content: Document, **condition: str) -> bool:
        about = {"ContentType": "application/json", **condition}
        return s3.put(self._client(), self.at.bucket, key, encoded(content), about)

    def _client(self) -> Any:
        return boto3.client("s3", region_name=self.at.region, config=CONFIG)


def encoded(content: Document) -> bytes:
    return json.dumps(content, indent=2, sort_keys=True).encode() + b"\n"


def _date(answer: Document) -> datetime:
    return parsedate_to_datetime(answer["ResponseMetadata"]["HTTPHeaders"]["date"]).astimezone(UTC)

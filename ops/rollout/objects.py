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
from botocore.exceptions import BotoCoreError, ClientError

from ops.errors import UserError
from ops.store import ABSENT, Store

LOST = {"PreconditionFailed", "412", "ConditionalRequestConflict", "409", "NoSuchKey", "404"}
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
        try:
            answer = self._client().get_object(Bucket=self.at.bucket, Key=key)
            content = json.loads(answer["Body"].read())
        except ClientError as error:
            if _code(error) in ABSENT:
                return None
            raise self._refused(key, error) from error
        except BotoCoreError as error:
            raise self._refused(key, error) from error
        return Object(content, answer["ETag"], answer["LastModified"], _date(answer))

    def write(self, key: str, content: Document, over: Object | None) -> bool:
        """Writes it if the object is still what was read (None: still absent). Returns whether it was."""
        condition = {"IfMatch": over.version} if over else {"IfNoneMatch": "*"}
        try:
            self._client().put_object(
                Bucket=self.at.bucket, Key=key, Body=encoded(content), ContentType="application/json", **condition
            )
        except ClientError as error:
            if _code(error) in LOST:
                return False
            raise self._refused(key, error) from error
        except BotoCoreError as error:
            raise self._refused(key, error) from error
        return True

    def put(self, key: str, content: Document) -> None:
        """Writes it whatever is there."""
        try:
            self._client().put_object(
                Bucket=self.at.bucket, Key=key, Body=encoded(content), ContentType="application/json"
            )
        except (ClientError, BotoCoreError) as error:
            raise self._refused(key, error) from error

    def delete(self, key: str) -> None:
        """Removes it; nothing happens when it is not there."""
        try:
            self._client().delete_object(Bucket=self.at.bucket, Key=key)
        except (ClientError, BotoCoreError) as error:
            raise self._refused(key, error) from error

    def keys(self, prefix: str) -> Iterator[str]:
        """In the order of their names."""
        pages = self._client().get_paginator("list_objects_v2").paginate(Bucket=self.at.bucket, Prefix=prefix)
        try:
            for page in pages:
                yield from (entry["Key"] for entry in page.get("Contents", []))
        except (ClientError, BotoCoreError) as error:
            raise self._refused(prefix, error) from error

    def now(self) -> datetime:
        """S3's own time."""
        try:
            return _date(self._client().head_bucket(Bucket=self.at.bucket))
        except (ClientError, BotoCoreError) as error:
            raise self._refused("", error) from error

    def _client(self) -> Any:
        return boto3.client("s3", region_name=self.at.region, config=CONFIG)

    def _refused(self, key: str, error: Exception) -> UserError:
        return UserError(f"s3://{self.at.bucket}/{key}: {error}", "check the credentials and that the stack is up")


def encoded(content: Document) -> bytes:
    return json.dumps(content, indent=2, sort_keys=True).encode() + b"\n"


def _date(answer: Document) -> datetime:
    return parsedate_to_datetime(answer["ResponseMetadata"]["HTTPHeaders"]["date"]).astimezone(UTC)


def _code(error: ClientError) -> str:
    return str(error.response.get("Error", {}).get("Code", ""))

"""What is too large for a row: in S3, below the job's own prefix, until the bucket's lifecycle rule removes it.

A result's key holds the attempt, so that two workers with one job never write over each other's.
"""

import threading
from collections.abc import Iterable
from typing import Any
from uuid import UUID

import boto3
from botocore.config import Config as ClientConfig
from botocore.exceptions import BotoCoreError, ClientError

AWAY = (BotoCoreError,)
"""S3 cannot be reached: the same may be asked again."""

REFUSED = (ClientError,)
"""S3 answers, and will not."""

REMOVED_AT_ONCE = 1000  # what DeleteObjects takes

MAKING = threading.Lock()


class Payloads:
    def __init__(self, bucket: str, prefix: str, inline_bytes: int, client: Any = None) -> None:
        self._bucket, self._prefix, self._inline = bucket, prefix, inline_bytes
        self._made = client

    def inline(self, size: int) -> bool:
        return size <= self._inline

    def put_input(self, job: UUID, body: bytes) -> None:
        """Raises one of `AWAY` or `REFUSED`, as all of these do."""
        self._put(self._input(job), body)

    def get_input(self, job: UUID) -> bytes:
        return self._get(self._input(job))

    def put_result(self, job: UUID, attempt: int, body: bytes) -> None:
        self._put(self._result(job, attempt), body)

    def get_result(self, job: UUID, attempt: int) -> bytes:
        return self._get(self._result(job, attempt))

    def remove(self, jobs: Iterable[tuple[UUID, int]]) -> None:
        """All that is kept of jobs, each with its last attempt."""
        keys = [key for job, last in jobs for key in self._keys(job, last)]
        for start in range(0, len(keys), REMOVED_AT_ONCE):
            objects = [{"Key": key} for key in keys[start : start + REMOVED_AT_ONCE]]
            self._client().delete_objects(Bucket=self._bucket, Delete={"Objects": objects, "Quiet": True})

    def _keys(self, job: UUID, last: int) -> list[str]:
        return [self._input(job), *(self._result(job, attempt) for attempt in range(1, last + 1))]

    def _input(self, job: UUID) -> str:
        return f"{self._prefix}{job}/input"

    def _result(self, job: UUID, attempt: int) -> str:
        return f"{self._prefix}{job}/result-{attempt}"

    def _put(self, key: str, body: bytes) -> None:
        self._client().put_object(Bucket=self._bucket, Key=key, Body=body)

    def _get(self, key: str) -> bytes:
        return bytes(self._client().get_object(Bucket=self._bucket, Key=key)["Body"].read())

    def _client(self) -> Any:
        """Made at the first use: it takes a second, and most processes never need it."""
        with MAKING:
            if self._made is None:
                wanted = ClientConfig(connect_timeout=3, read_timeout=20, retries={"max_attempts": 2})
                self._made = boto3.client("s3", config=wanted)
        return self._made

"""What is too large for a row: in S3, below the job's own prefix, until the bucket's lifecycle rule removes it; or in a
folder, where there is no S3.

A result's key holds the attempt, so that two workers with one job never write over each other's.
"""

import threading
from collections.abc import Iterable, Sequence
from typing import Any, Protocol
from uuid import UUID

import boto3
from botocore.config import Config as ClientConfig
from botocore.exceptions import BotoCoreError, ClientError

from jobs import folder, ids
from jobs.config import Config
from jobs.folder import INPUT, Folder

AWAY = (BotoCoreError, folder.AwayError)
"""They cannot be reached now: the same may be asked again."""

REFUSED = (ClientError, folder.RefusedError)
"""They are there, and will not."""

REMOVED_AT_ONCE = 1000  # what DeleteObjects takes

MAKING = threading.Lock()


class Kept(Protocol):
    """Bytes by their keys. All of it raises one of `AWAY` or `REFUSED`."""

    def put(self, key: str, body: bytes) -> None: ...

    def get(self, key: str) -> bytes: ...

    def remove(self, keys: Sequence[str]) -> None: ...

    def older(self, seconds: float) -> list[str]:
        """Keys that nobody removes but we, after so long."""


class Bucket:
    def __init__(self, name: str) -> None:
        self._name = name
        self._made: Any = None

    def put(self, key: str, body: bytes) -> None:
        self._client().put_object(Bucket=self._name, Key=key, Body=body)

    def get(self, key: str) -> bytes:
        return bytes(self._client().get_object(Bucket=self._name, Key=key)["Body"].read())

    def remove(self, keys: Sequence[str]) -> None:
        for start in range(0, len(keys), REMOVED_AT_ONCE):
            objects = [{"Key": key} for key in keys[start : start + REMOVED_AT_ONCE]]
            self._client().delete_objects(Bucket=self._name, Delete={"Objects": objects, "Quiet": True})

    def older(self, seconds: float) -> list[str]:  # noqa: ARG002  (the bucket's own rule removes them)
        return []

    def _client(self) -> Any:
        """Made at the first use: it takes a second, and most processes never need it."""
        with MAKING:
            if self._made is None:
                wanted = ClientConfig(connect_timeout=3, read_timeout=20, retries={"max_attempts": 2})
                self._made = boto3.client("s3", config=wanted)
        return self._made


class Payloads:
    """What there is to keep of jobs. All of it raises one of `AWAY` or `REFUSED`."""

    def __init__(self, kept: Kept, prefix: str, inline_bytes: int) -> None:
        self._kept, self._prefix, self._inline = kept, prefix, inline_bytes

    def inline(self, size: int) -> bool:
        return size <= self._inline

    def put_input(self, job: UUID, body: bytes) -> None:
        self._kept.put(self._input(job), body)

    def get_input(self, job: UUID) -> bytes:
        return self._kept.get(self._input(job))

    def put_result(self, job: UUID, attempt: int, body: bytes) -> None:
        self._kept.put(self._result(job, attempt), body)

    def get_result(self, job: UUID, attempt: int) -> bytes:
        return self._kept.get(self._result(job, attempt))

    def remove(self, jobs: Iterable[tuple[UUID, int]]) -> None:
        """All that is kept of jobs, each with its last attempt."""
        self._kept.remove([key for job, last in jobs for key in self._keys(job, last)])

    def forgotten(self, seconds: float) -> dict[str, UUID]:
        """Keys that have been there for so long, with their jobs, which may be gone."""
        found = {key: ids.parse(key.removeprefix(self._prefix).split("/")[0]) for key in self._kept.older(seconds)}
        return {key: job for key, job in found.items() if job}

    def discard(self, keys: Sequence[str]) -> None:
        self._kept.remove(keys)

    def _keys(self, job: UUID, last: int) -> list[str]:
        return [self._input(job), *(self._result(job, attempt) for attempt in range(1, last + 1))]

    def _input(self, job: UUID) -> str:
        return f"{self._prefix}{job}/{INPUT}"

    def _result(self, job: UUID, attempt: int) -> str:
        return f"{self._prefix}{job}/result-{attempt}"


def of(found: Config) -> Payloads:
    kept: Kept = Folder(found.folder, found.folder_bytes) if found.folder else Bucket(found.bucket)
    return Payloads(kept, found.prefix, found.limits.inline_bytes)

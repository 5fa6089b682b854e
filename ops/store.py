"""What of a stack outlives its nodes: the bucket with releases, models and deployments, and the pointer to one of them.

An object's name is the digest of what it holds, so that it is written once, by whoever comes first, and never again.
"""

import hashlib
import json
import os
import tempfile
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import boto3
from botocore.exceptions import BotoCoreError, ClientError

from contract import PATHS, S3
from ops.errors import UserError
from ops.run import run

ABSENT = {"404", "NoSuchKey", "ParameterNotFound"}
ALREADY = {"PreconditionFailed", "412"}


@dataclass(frozen=True)
class Store:
    region: str
    bucket: str
    deployment_parameter: str

    def has(self, key: str) -> bool:
        return self.tag(key) is not None

    def tag(self, key: str) -> str | None:
        """The entity tag of an object, which changes with its content; None when there is no such object."""
        try:
            return str(self._s3().head_object(Bucket=self.bucket, Key=key)["ETag"])
        except ClientError as error:
            if _code(error) in ABSENT:
                return None
            raise _refused(f"s3://{self.bucket}/{key}", error) from error

    def read(self, key: str) -> Any:
        """The JSON of a small object, None when there is no such object."""
        try:
            return json.loads(self._s3().get_object(Bucket=self.bucket, Key=key)["Body"].read())
        except ClientError as error:
            if _code(error) in ABSENT:
                return None
            raise _refused(f"s3://{self.bucket}/{key}", error) from error

    def put(self, key: str, content: Path | bytes) -> bool:
        """Writes an object unless it is there. Returns whether this call wrote it."""
        if self.has(key):
            return False
        body = content if isinstance(content, bytes) else content.read_bytes()
        try:
            self._s3().put_object(Bucket=self.bucket, Key=key, Body=body, IfNoneMatch="*")
        except ClientError as error:
            if _code(error) in ALREADY:
                return False
            raise _refused(f"s3://{self.bucket}/{key}", error) from error
        return True

    def get(self, key: str, place: Path) -> None:
        """Raises `UserError` when the object cannot be had."""
        try:
            self._s3().download_file(self.bucket, key, str(place))
        except ClientError as error:
            raise _refused(f"s3://{self.bucket}/{key}", error) from error

    def deployment(self, deployment_id: str, scratch: Path) -> dict[str, Any]:
        """The manifest of a deployment. Raises `UserError` when it is not there, or was changed by hand."""
        place = scratch / f"{deployment_id}.json"
        key = f"{S3.deployments}{deployment_id}.json"
        if not self.has(key):
            raise UserError(f"this stack has no deployment {deployment_id}", "`slipway history` lists those that were")
        self.get(key, place)
        content = place.read_bytes()
        if (actual := hashlib.sha256(content).hexdigest()[:12]) != deployment_id:
            raise UserError(
                f"the manifest of deployment {deployment_id} was changed: its content is that of {actual}",
                "restore the object's first version in the bucket, or make the deployment again",
            )
        manifest: dict[str, Any] = json.loads(content)
        return manifest

    def manifest(self, deployment_id: str) -> dict[str, Any]:
        """The same, for who needs no file of it."""
        with tempfile.TemporaryDirectory() as scratch:
            return self.deployment(deployment_id, Path(scratch))

    def pointer(self) -> str:
        """The id of the current deployment."""
        try:
            answer = self._client("ssm").get_parameter(Name=self.deployment_parameter)
        except ClientError as error:
            raise _refused(f"parameter {self.deployment_parameter}", error) from error
        return str(answer["Parameter"]["Value"])

    def point(self, deployment_id: str) -> None:
        """Moves the pointer: from here on this is what the fleet serves. The deployment must be in the bucket."""
        if not self.has(f"{S3.deployments}{deployment_id}.json"):
            raise UserError(f"there is no deployment {deployment_id}", "make it with `slipway deployment make`")
        try:
            self._client("ssm").put_parameter(Name=self.deployment_parameter, Value=deployment_id, Overwrite=True)
        except ClientError as error:
            raise _refused(f"parameter {self.deployment_parameter}", error) from error

    def _s3(self) -> Any:
        return self._client("s3")

    def _client(self, service: str) -> Any:
        return boto3.client(service, region_name=self.region)


def current() -> Store:
    """The store of the stack at hand: this node's, or the one that SLIPWAY_STACK names or Pulumi has selected."""
    found = outputs()
    try:
        return Store(found["region"], found["bucket"], found["deployment_parameter"])
    except KeyError as error:
        raise UserError(f"the stack has no output {error}", "bring it up first: `pulumi up`") from error


@cache
def outputs() -> dict[str, Any]:
    """The stack's outputs, or on a node its facts, which have the same names. Asked once: Pulumi takes a second."""
    facts = Path(PATHS.facts)
    if facts.exists():
        text = facts.read_text()
    else:
        stack = os.environ.get("SLIPWAY_STACK")
        argv = ["pulumi", "stack", "output", "--json", "--non-interactive", *(["--stack", stack] if stack else [])]
        hint = (
            "use the stack's environment (`. .slipway/env` for the local one) and select it with `pulumi stack select`"
        )
        text = run(argv, cwd=Path(__file__).parent.parent, hint=hint).stdout
    found: dict[str, Any] = json.loads(text)
    return found


def _code(error: ClientError) -> str:
    return str(error.response.get("Error", {}).get("Code", ""))


def _refused(what: str, error: ClientError | BotoCoreError) -> UserError:
    return UserError(f"{what}: {error}", "check the credentials and that the stack is up")

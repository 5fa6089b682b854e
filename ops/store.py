"""What of a stack outlives its nodes: the bucket with releases, models and deployments, and the pointer to one of them.

An object's name is the digest of what it holds, so that it is written once, by whoever comes first, and never again.
"""

import hashlib
import json
import os
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import boto3

from contract import PATHS, S3
from ops import s3
from ops.errors import UserError
from ops.run import run


@dataclass(frozen=True)
class Store:
    region: str
    bucket: str
    deployment_parameter: str

    def has(self, key: str) -> bool:
        return self.tag(key) is not None

    def tag(self, key: str) -> str | None:
        """The entity tag of an object, which changes with its content; None when there is no such object."""
        found = s3.head(self._s3(), self.bucket, key)
        return None if found is None else str(found["ETag"])

    def read(self, key: str) -> Any:
        """The JSON of a small object, None when there is no such object."""
        found = s3.get(self._s3(), self.bucket, key)
        return None if found is None else json.loads(found[0])

    def put(self, key: str, content: Path | bytes) -> bool:
        """Writes an object unless it is there. Returns whether this call wrote it."""
        if self.has(key):
            return False
        body = content if isinstance(content, bytes) else content.read_bytes()
        return s3.put(self._s3(), self.bucket, key, body, {"IfNoneMatch": "*"}, lost=s3.ALREADY)

    def get(self, key: str, place: Path) -> None:
        """Raises `UserError` when the object cannot be had."""
        with s3.asked(s3.url(self.bucket, key)):
            self._s3().download_file(self.bucket, key, str(place))

    def existing(self, deployment_id: str) -> str:
        """The id. Raises `UserError` when this stack has no such deployment."""
        if not self.has(manifest_key(deployment_id)):
            raise unknown(deployment_id)
        return deployment_id

    def manifest(self, deployment_id: str) -> dict[str, Any]:
        """Of a deployment. Raises `UserError` when it is not there, or was changed by hand."""
        found = s3.get(self._s3(), self.bucket, manifest_key(deployment_id))
        if found is None:
            raise unknown(deployment_id)
        content, _ = found
        if (actual := hashlib.sha256(content).hexdigest()[:12]) != deployment_id:
            raise UserError(
                f"the manifest of deployment {deployment_id} was changed: its content is that of {actual}",
                "restore the object's first version in the bucket, or make the deployment again",
            )
        manifest: dict[str, Any] = json.loads(content)
        return manifest

    def pointer(self) -> str:
        """The id of the current deployment."""
        with s3.asked(f"parameter {self.deployment_parameter}"):
            answer = self._client("ssm").get_parameter(Name=self.deployment_parameter)
        return str(answer["Parameter"]["Value"])

    def point(self, deployment_id: str) -> None:
        """Moves the pointer: from here on this is what the fleet serves. The deployment must be in the bucket."""
        value = self.existing(deployment_id)
        with s3.asked(f"parameter {self.deployment_parameter}"):
            self._client("ssm").put_parameter(Name=self.deployment_parameter, Value=value, Overwrite=True)

    def _s3(self) -> Any:
        return self._client("s3")

    def _client(self, service: str) -> Any:
        return boto3.client(service, region_name=self.region)


def manifest_key(deployment_id: str) -> str:
    return f"{S3.deployments}{deployment_id}.json"


def unknown(deployment_id: str) -> UserError:
    return UserError(f"this stack has no deployment {deployment_id}", "`slipway history` lists those that were")


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

"""Reads the pointer and the bucket, and writes the prediction log to it, with the node's own role.

The client is the botocore that Debian's awscli carries, importable once awscli is: one import instead of one second of
`aws` for each call. It is older than AWS_ENDPOINT_URL, which is therefore passed on by hand.
"""

import json
import os
from pathlib import Path
from typing import Any

from slipway_node.node import ActivationError, Node

CHUNK_BYTES = 1024 * 1024
UNREACHABLE_PAUSES = [1, 1, 2, 3, 5, 10, 15]
"""Seconds between attempts at boot while IAM has not heard of the role, or the network is not there."""
MISSING = {"NoSuchKey", "404", "ParameterNotFound"}
PRESENT = {"PreconditionFailed", "412"}


class UnreachableError(ActivationError):
    """It could not be had now, and may be had later: no network, a role not yet known everywhere, a throttled call.

    A missing object is among them, because without ListBucket S3 says 403 for it as for a role that is still new.
    """

    def __init__(self, what: str, reason: object, *, missing: bool = False) -> None:
        super().__init__("fetch", f"{what}: {reason}")
        self.missing = missing


class Cloud:
    def __init__(self, node: Node) -> None:
        self._node = node
        self._session: Any = None
        self._clients: dict[str, Any] = {}

    def pointer(self) -> str:
        """The id of the deployment that the fleet is to serve."""
        return self.parameter(self._node.deployment_parameter)

    def parameter(self, name: str) -> str:
        """The value of one of the stack's parameters."""
        answer = self._call("ssm", "get_parameter", f"parameter {name}", Name=name)
        return str(answer["Parameter"]["Value"]).strip()

    def previous(self, deployment: str) -> str | None:
        """What the fleet served before `deployment`, by the last commit; None when that was of another one."""
        key = self._node.keys["previous"]
        answer = self._call("s3", "get_object", f"s3://{self._node.bucket}/{key}", Bucket=self._node.bucket, Key=key)
        pair = json.loads(answer["Body"].read())
        return str(pair["previous"]) if pair["deployment"] == deployment != pair["previous"] else None

    def trial(self) -> tuple[str, int] | None:
        """The candidate that is on trial in the fleet, and its percentage; None when there is none."""
        key = self._node.keys["trial"]
        try:
            answer = self._call(
                "s3", "get_object", f"s3://{self._node.bucket}/{key}", Bucket=self._node.bucket, Key=key
            )
        except UnreachableError as failure:
            if failure.missing:
                return None
            raise
        record = json.loads(answer["Body"].read())
        return (str(record["deployment"]), int(record["percent"])) if record.get("deployment") else None

    def size(self, key: str) -> int:
        """Of an object, in bytes."""
        what = f"s3://{self._node.bucket}/{key}"
        return int(self._call("s3", "head_object", what, Bucket=self._node.bucket, Key=key)["ContentLength"])

    def download(self, key: str, place: Path) -> None:
        """Raises `UnreachableError` also when the object's bytes stop in the middle."""
        import awscli  # noqa: F401
        from botocore.exceptions import BotoCoreError
        from urllib3.exceptions import HTTPError

        what = f"s3://{self._node.bucket}/{key}"
        body = self._call("s3", "get_object", what, Bucket=self._node.bucket, Key=key)["Body"]
        try:
            with place.open("wb") as file:
                for chunk in body.iter_chunks(CHUNK_BYTES):
                    file.write(chunk)
        except (BotoCoreError, HTTPError) as error:
            raise UnreachableError(what, error) from error

    def create(self, key: str, content: bytes) -> bool:
        """Writes an object unless it is there. Returns whether this call wrote it.

        The condition is put into the request by hand: Debian's botocore is older than S3's conditional writes.
        """
        import awscli  # noqa: F401
        from botocore.exceptions import ClientError

        events = self._client("s3").meta.events
        events.register("before-call.s3.PutObject", _only_new, unique_id="slipway-only-new")
        try:
            self._call(
                "s3", "put_object", f"s3://{self._node.bucket}/{key}", Bucket=self._node.bucket, Key=key, Body=content
            )
        except UnreachableError as failure:
            cause = failure.__cause__
            if isinstance(cause, ClientError) and cause.response.get("Error", {}).get("Code") in PRESENT:
                return False
            raise
        finally:
            events.unregister("before-call.s3.PutObject", unique_id="slipway-only-new")
        return True

    def member(self, instance: str) -> tuple[str, str]:
        """The Auto Scaling group of an instance, and its lifecycle state there; both empty when it is in none."""
        answer = self._call(
            "autoscaling", "describe_auto_scaling_instances", f"the group of {instance}", InstanceIds=[instance]
        )
        for entry in answer["AutoScalingInstances"]:
            return str(entry["AutoScalingGroupName"]), str(entry["LifecycleState"])
        return "", ""

    def launched(self, group: str, instance: str, hook: str) -> None:
        """Lets the group go on with a launch that waits for this."""
        self._call(
            "autoscaling",
            "complete_lifecycle_action",
            f"hook {hook} of {group}",
            AutoScalingGroupName=group,
            LifecycleHookName=hook,
            InstanceId=instance,
            LifecycleActionResult="CONTINUE",
        )

    def _call(self, service: str, operation: str, what: str, **arguments: Any) -> Any:
        import awscli  # noqa: F401
        from botocore.exceptions import BotoCoreError, ClientError

        try:
            return getattr(self._client(service), operation)(**arguments)
        except ClientError as error:
            missing = error.response.get("Error", {}).get("Code") in MISSING
            raise UnreachableError(what, "it does not exist" if missing else error, missing=missing) from error
        except BotoCoreError as error:
            self._forget()
            raise UnreachableError(what, error) from error

    def _forget(self) -> None:
        """A client that was made while there were no credentials to be had would look for none later either."""
        self._session = None
        self._clients = {}

    def _client(self, service: str) -> Any:
        if service not in self._clients:
            from botocore.config import Config
            from botocore.session import Session

            if self._session is None:
                self._session = Session()
                self._session.set_config_variable("metadata_service_timeout", 3)
                self._session.set_config_variable("metadata_service_num_attempts", 4)
            self._clients[service] = self._session.create_client(
                service,
                region_name=self._node.region,
                endpoint_url=os.environ.get("AWS_ENDPOINT_URL") or None,
                config=Config(connect_timeout=3, read_timeout=20, retries={"mode": "standard", "max_attempts": 4}),
            )
        return self._clients[service]


def _only_new(params: dict[str, Any], **_: Any) -> None:
    params["headers"]["If-None-Match"] = "*"

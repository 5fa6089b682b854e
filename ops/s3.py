"""What AWS answers, as this project takes it: what is not there is None, a condition that does not hold is False, and
anything else that is refused is one line for the user.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from ops.errors import UserError

HINT = "check the credentials and that the stack is up"
ABSENT = {"404", "NoSuchKey", "ParameterNotFound"}
ALREADY = {"PreconditionFailed", "412"}
LOST = ALREADY | {"ConditionalRequestConflict", "409", "NoSuchKey", "404"}
"""Of a conditional write: the object is no longer what was read, or somebody is writing it now."""

Answer = dict[str, Any]


class TooLargeError(UserError):
    """An object is larger than what belongs there can be."""


@contextmanager
def asked(what: str) -> Iterator[None]:
    """Turns a refusal into `UserError`; `what` is what was asked for."""
    try:
        yield
    except (ClientError, BotoCoreError) as error:
        raise UserError(f"{what}: {error}", HINT) from error


def code(error: ClientError) -> str:
    return str(error.response.get("Error", {}).get("Code", ""))


def url(bucket: str, key: str) -> str:
    return f"s3://{bucket}/{key}"


def head(client: Any, bucket: str, key: str) -> Answer | None:
    """None when there is no such object. Raises `UserError`, as all of these do."""
    return _unless_absent(client.head_object, bucket, key)


def get(client: Any, bucket: str, key: str, most_bytes: int | None = None) -> tuple[bytes, Answer] | None:
    """The content of a small object, and the whole answer; None when there is no such object.

    `most_bytes`: how large one may be that somebody else wrote; raises `TooLargeError`.
    """
    answer = _unless_absent(client.get_object, bucket, key)
    if answer is None:
        return None
    with asked(url(bucket, key)):
        if most_bytes is not None and answer["ContentLength"] > most_bytes:
            answer["Body"].close()
            raise TooLargeError(f"{url(bucket, key)} has more than {most_bytes} bytes", "it is not what belongs there")
        return answer["Body"].read(), answer


def put(client: Any, bucket: str, key: str, body: bytes, more: Mapping[str, str], *, lost: set[str] = LOST) -> bool:
    """Writes it; with a condition among `more`, returns whether it held: it did not when the error is one of `lost`."""
    with asked(url(bucket, key)):
        try:
            client.put_object(Bucket=bucket, Key=key, Body=body, **more)
        except ClientError as error:
            if code(error) not in lost or not more.keys() & {"IfMatch", "IfNoneMatch"}:
                raise
            return False
    return True


def _unless_absent(ask: Any, bucket: str, key: str) -> Answer | None:
    with asked(url(bucket, key)):
        try:
            answer: Answer = ask(Bucket=bucket, Key=key)
        except ClientError as error:
            if code(error) in ABSENT:
                return None
            raise
    return answer

"""A secret that a node generates straight into Secrets Manager, so that no program ever sees it.

The program creates the secret without a value. The first node to find it empty fills it, every later one reads it: what
it holds outlives any node.
"""

from collections.abc import Callable
from typing import Any

from botocore.exceptions import ClientError


def ensure(client: Any, arn: str, token: str, generate: Callable[[], str]) -> str:
    """The secret, generated when it has no value yet. `client` is boto3's for Secrets Manager.

    `token` is one fixed text for each kind of secret: of two nodes that find it empty, Secrets Manager lets only one
    create the version of that name. Raises `ClientError`.
    """
    try:
        return _read(client, arn)
    except ClientError as error:
        if error.response["Error"]["Code"] != "ResourceNotFoundException":
            raise
    try:
        client.put_secret_value(SecretId=arn, ClientRequestToken=token, SecretString=generate())
    except ClientError as error:
        if error.response["Error"]["Code"] != "ResourceExistsException":
            raise
    return _read(client, arn)


def _read(client: Any, arn: str) -> str:
    return str(client.get_secret_value(SecretId=arn)["SecretString"])

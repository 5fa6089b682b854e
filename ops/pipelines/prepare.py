"""Before Airflow starts, and each minute after: roles and databases, and the files that all on this node start from.

The files follow what changes elsewhere: a tracking node that healed has another address.
"""

import json
from functools import partial
from typing import Any

from ops import notify, postgres
from ops.errors import UserError
from ops.pipelines import files, secret
from ops.pipelines.facts import Facts
from ops.tracking.secret import master

PENDING = "pending"


def prepare(facts: Facts) -> bool:
    """Whether a file has changed. Raises `UserError` while database or cloud cannot be had."""
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        client = facts.aws("secretsmanager")
        found = secret.ensure(client, facts.pipeline["secret_arn"])
        mlflow = _mlflow(client, facts)
        chat = _chat(client, facts)
        owners = {
            files.AIRFLOW: found.airflow_database_password,
            files.TRAINING: found.training_database_password,
        }
        for owner, password in owners.items():
            postgres.ensure(files.server(facts), owner, password, partial(_master, client, facts))
    except (ClientError, BotoCoreError) as error:
        raise UserError(
            f"the logins of this node cannot be had: {error}",
            "a new role's rights take minutes to arrive; this is tried again until it works",
        ) from None
    return files.write_all(facts, found, mlflow, chat)


def _master(client: Any, facts: Facts) -> tuple[str, str, str]:
    found = master(client, facts.database_secret_arn)
    return found.username, found.password, facts.database_name


def _chat(client: Any, facts: Facts) -> str:
    """The address that a training's end is told at; empty where there is none, or nobody has filled the secret yet.

    What trains may not ask for it: this node's role answers root alone.
    """
    from botocore.exceptions import ClientError

    arn = facts.delivery.get(notify.SECRET)
    if not arn:
        return ""
    try:
        return str(client.get_secret_value(SecretId=arn)["SecretString"])
    except ClientError as error:
        if error.response["Error"]["Code"] != "ResourceNotFoundException":
            raise
        return ""


def _mlflow(client: Any, facts: Facts) -> tuple[str, str, str]:
    """Address, user and password. Raises `UserError` until the tracking node has written them."""
    from botocore.exceptions import ClientError

    answer = facts.aws("ssm").get_parameter(Name=facts.tracking_parameter)
    address = str(answer["Parameter"]["Value"])
    try:
        login = json.loads(client.get_secret_value(SecretId=facts.mlflow_admin_secret_arn)["SecretString"])
    except ClientError as error:
        if error.response["Error"]["Code"] != "ResourceNotFoundException":
            raise
        login = None
    if login is None or address == PENDING:
        raise UserError("the tracking node has not announced itself yet", "this is tried again until it has")
    return address, login["username"], login["password"]

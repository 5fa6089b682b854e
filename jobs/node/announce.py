"""The last step of the broker node's boot: the database of jobs is made, and others learn where all of it is.

The address comes last: it is what `pulumi up` waits for, and what a client reads once the login is there.
"""

import json
import secrets
import subprocess
import sys
from typing import Any

from contract import PATHS
from jobs.node import broker, credentials
from jobs.node.facts import Facts
from ops import postgres
from ops.errors import UserError
from ops.own_address import own_address
from ops.postgres import Owner, Server

OWNER = Owner(role="slipway_jobs", database="jobs")
# One fixed token: of two nodes that find the secret empty, Secrets Manager lets only one create this version.
FIRST_VERSION = "slipway-jobs-database-0000000001"


def announce(facts: Facts) -> str:
    """Returns the address. Raises `UserError` while database, broker or cloud cannot be had."""
    from botocore.exceptions import BotoCoreError, ClientError

    own, login = own_address(), broker.login()
    broker.require_answer(own, login["ca"])
    client = facts.aws("secretsmanager")
    try:
        database = ensure_secret(client, facts)
        _ensure_database(client, facts, database)
        credentials.write(facts, own, login, database)
        _schema()
        client.put_secret_value(SecretId=facts.jobs["broker_secret_arn"], SecretString=json.dumps(login))
        facts.aws("ssm").put_parameter(Name=facts.jobs["broker_parameter"], Value=own, Type="String", Overwrite=True)
    except (ClientError, BotoCoreError) as error:
        raise UserError(
            f"the cloud refuses: {error}", "a new role's rights take minutes; this is tried again"
        ) from None
    return own


def ensure_secret(client: Any, facts: Facts) -> dict[str, Any]:
    """The login at the database of jobs, generated when there is none. It outlives any node, and so do the jobs."""
    from botocore.exceptions import ClientError

    arn = facts.jobs["database_secret_arn"]
    where = {"host": facts.database["host"], "port": facts.database["port"]}
    found = credentials.secret(client, arn)
    if found is not None and {name: found[name] for name in where} == where:
        return found
    password = found["password"] if found else secrets.token_urlsafe(32)
    value = {**where, "name": OWNER.database, "username": OWNER.role, "password": password}
    token = {} if found else {"ClientRequestToken": FIRST_VERSION}
    try:
        client.put_secret_value(SecretId=arn, SecretString=json.dumps(value), **token)
    except ClientError as error:
        if error.response["Error"]["Code"] != "ResourceExistsException":
            raise
    return credentials.secret(client, arn) or value


def _ensure_database(client: Any, facts: Facts, database: dict[str, Any]) -> None:
    server = Server(host=database["host"], port=database["port"], ca=PATHS.database_ca)

    def master() -> tuple[str, str, str]:
        found = json.loads(client.get_secret_value(SecretId=facts.database["secret_arn"])["SecretString"])
        return found["username"], found["password"], facts.database["name"]

    postgres.ensure(server, OWNER, database["password"], master)


def _schema() -> None:
    """In a process of its own, as accepting runs it too: it reads the files that were just written."""
    done = subprocess.run([sys.executable, "-m", "jobs.schema"], capture_output=True, text=True, check=False)
    if done.returncode:
        raise UserError(f"the tables of jobs cannot be made: {done.stderr.strip()}", "this is tried again")

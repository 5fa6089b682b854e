"""`python3 -m ops.tracking credentials|migrate|announce`: what the units of the tracking node run.

MLflow's start waits for them, so only those that talk to AWS import its library.
"""

import socket
import sys
from functools import partial
from typing import Any

import click

import contract
from ops.errors import UserError, reported
from ops.run import run
from ops.tracking import database, facts, files, secret


def _server(node: facts.Facts) -> database.Server:
    return database.Server(host=node.database_host, port=node.database_port, ca=contract.PATHS.database_ca)


def _master(client: Any, node: facts.Facts) -> tuple[str, str, str]:
    found = secret.master(client, node.database_secret_arn)
    return found.username, found.password, node.database_name


def _credentials(node: facts.Facts) -> secret.MlflowSecret:
    """The MLflow secret, with the database made to agree with it."""
    import boto3
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        client = boto3.client("secretsmanager", region_name=node.region)
        found = secret.ensure(client, node.mlflow_admin_secret_arn)
        database.ensure_role(_server(node), found.database_password, partial(_master, client, node))
    except (ClientError, BotoCoreError) as error:
        raise UserError(
            f"credentials of MLflow cannot be read: {error}",
            "a new role's rights take minutes to arrive; this is tried again until it works",
        ) from None
    return found


@click.group()
def main() -> None:
    """Credentials, database and address of the MLflow server on this node."""


@main.command()
def credentials() -> None:
    """Before MLflow starts and each minute after: role, database, and the files that MLflow starts from.

    A rotation needs no restart of MLflow: libpq reads the password file anew at each connect.
    """
    node = facts.read()
    if files.write_all(node, _credentials(node), _server(node)):
        click.echo("the files that MLflow starts from have changed")


@main.command()
def migrate() -> None:
    """Before MLflow starts: brings the schema of an older MLflow up to date. A new database is left to the server."""
    node = facts.read()
    server = _server(node)
    if not database.has_schema(server, str(files.passfile())):
        return
    argv = [sys.executable, "-m", "mlflow", "db", "upgrade", server.url(str(files.passfile()))]
    run(argv, hint="each step of an upgrade is one transaction: what is done stays done, and the next start goes on")


@main.command()
def announce() -> None:
    """Writes this node's address to the parameter by which others find it: a healed node has a new one."""
    import boto3

    node = facts.read()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.connect((socket.gethostbyname(node.database_host), 9))
        address = str(probe.getsockname()[0])
    client = boto3.client("ssm", region_name=node.region)
    client.put_parameter(Name=node.tracking_parameter, Value=address, Type="String", Overwrite=True)
    click.echo(f"{node.tracking_parameter} = {address}")


if __name__ == "__main__":
    with reported("ops.tracking"):
        main(standalone_mode=False)

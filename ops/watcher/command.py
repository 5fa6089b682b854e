"""`python -m ops watch`: the watcher's process, as slipway-watcher.service runs it on the tracking node."""

import os
import time
from pathlib import Path

import boto3
import click
from botocore.exceptions import BotoCoreError, ClientError

from ops import store
from ops.errors import UserError, interruptible, reported
from ops.orders import world as orders
from ops.orders.box import Box
from ops.orders.taker import Taker
from ops.rollout import settings
from ops.tracking import facts, files, secret
from ops.watcher import key
from ops.watcher.events import say
from ops.watcher.loop import Watcher
from ops.watcher.registry import Registry
from ops.watcher.world import Node

MLFLOW = f"http://{files.LOCAL}"
POLL_SECONDS = 1.0
RETRY_SECONDS = 5.0


@click.command("watch")
@click.option("--state", type=click.Path(path_type=Path), default=Path("/var/lib/slipway-watcher"), show_default=True)
@click.option("--run", type=click.Path(path_type=Path), default=Path("/run/slipway-watcher"), show_default=True)
def main(state: Path, run: Path) -> None:
    """Follows the alias in MLflow: runs on the tracking node, until it is stopped."""
    interruptible()
    with reported("slipway watch"):
        node = facts.read()
        delivery = settings.current()
        if not delivery.follow_alias:
            say("off", message="the setting delivery.followAlias is false")
            return
        registry = _prepared(node, state, run)
        say("following", alias=delivery.alias, models=delivery.models or "all")
        at = store.current()
        watcher = Watcher(Node(at, registry, delivery, state))
        taker = Taker(Box(at), orders.Node(at, state)) if node.orders else None
        while True:
            watcher.turn()
            if taker:
                taker.turn()
            time.sleep(POLL_SECONDS)


def _prepared(node: facts.Facts, state: Path, run: Path) -> Registry:
    """The key is in its place and told, the environment of everything we start is made, and MLflow's login is known."""
    said = ""
    while True:
        try:
            return _prepare(node, state, run)
        except (ClientError, BotoCoreError) as error:
            if str(error) != said:
                said = str(error)
                say("waiting", message=said)
            time.sleep(RETRY_SECONDS)


def _prepare(node: facts.Facts, state: Path, run: Path) -> Registry:
    if node.watcher_secret_arn is None or node.watcher_key_parameter is None:
        raise UserError("the stack has no key for a watcher", "set delivery.followAlias and run `pulumi up`")
    secrets = boto3.client("secretsmanager", region_name=node.region)
    file = run / "id_ed25519"
    public = key.place(key.ensure(secrets, node.watcher_secret_arn), file)
    if key.tell(boto3.client("ssm", region_name=node.region), node.watcher_key_parameter, public):
        say("key", parameter=node.watcher_key_parameter, public=public)
    login = secret.ensure(secrets, node.mlflow_admin_secret_arn)
    os.environ.update(
        {
            "AWS_DEFAULT_REGION": node.region,
            "AWS_REGION": node.region,
            "SLIPWAY_STACK": node.stack,
            "SLIPWAY_BY": "watcher",
            "SLIPWAY_CACHE": str(state),
            "SLIPWAY_SSH_PROXY": "direct",
            "SLIPWAY_SSH_KEY_FILE": str(file),
            "SLIPWAY_KNOWN_HOSTS": str(state / "known_hosts"),
            "MLFLOW_TRACKING_URI": MLFLOW,
            "MLFLOW_TRACKING_USERNAME": login.username,
            "MLFLOW_TRACKING_PASSWORD": login.password,
        }
    )
    return Registry(MLFLOW, login.username, login.password)

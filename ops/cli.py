"""The `slipway` command: thin verbs over the modules beside it."""

import json
import sys
import tempfile
from pathlib import Path

import click

from ops import deployment, release, standby, store
from ops.errors import reported
from ops.rollout import command as rollout
from ops.watcher import command


@click.group()
def main() -> None:
    """Slipway: serve MLflow models from plain VMs in your own AWS account."""


@main.command("release")
@click.option("--upload/--no-upload", default=True, help="Copy it to the stack's bucket.")
def release_command(upload: bool) -> None:
    """Builds the server release of this checkout, uploads it, and prints its digest."""
    with reported("slipway release"):
        built = release.build("server", _say)
        if upload:
            _say("uploaded" if release.publish(store.current(), built) else "the bucket has it already")
        print(built.digest)


@main.group("deployment")
def deployment_group() -> None:
    """Deployments: a release and the models that it serves, as one immutable manifest."""


deployment_group.add_command(deployment.main, "make")
main.add_command(command.main)
main.add_command(rollout.main)


@deployment_group.command("show")
@click.argument("deployment_id", required=False, metavar="[ID]")
def show(deployment_id: str | None) -> None:
    """Prints a deployment's manifest; the current one's without ID."""
    with reported("slipway deployment show"), tempfile.TemporaryDirectory() as scratch:
        at = store.current()
        wanted = deployment_id or at.pointer()
        print(json.dumps({"id": wanted, **at.deployment(wanted, Path(scratch))}, indent=2))


@main.group("pointer")
def pointer_group() -> None:
    """The pointer: which deployment the fleet is to serve."""


@pointer_group.command("get")
def get() -> None:
    """Prints the id of the current deployment."""
    with reported("slipway pointer get"):
        print(store.current().pointer())


@pointer_group.command("set")
@click.argument("deployment_id", metavar="ID")
def set_(deployment_id: str) -> None:
    """Makes ID the current deployment. It is the commit of a rollout: nodes are activated before it, by deploy.yml."""
    with reported("slipway pointer set"):
        store.current().point(deployment_id)


@main.command("drain")
@click.argument("instance_id", metavar="INSTANCE-ID")
def drain(instance_id: str) -> None:
    """Takes a node out of the balancer without losing a request, for a reboot or a reload (ASG Standby)."""
    with reported("slipway drain"):
        standby.drain(instance_id)


@main.command("undrain")
@click.argument("instance_id", metavar="INSTANCE-ID")
def undrain(instance_id: str) -> None:
    """Brings a drained node back, and waits until the balancer finds it healthy."""
    with reported("slipway undrain"):
        standby.undrain(instance_id)


def _say(text: str) -> None:
    print(text, file=sys.stderr)

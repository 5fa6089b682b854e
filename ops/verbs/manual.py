"""The steps of a rollout one by one, for playbooks and for people who want to see each."""

import functools
import json
import sys

import click

from ops import promotion, standby, store
from ops.compiling import Mode
from ops.errors import reported
from ops.rollout import settings
from ops.verbs.common import compile_option, examples, verb


@click.group(
    "deployment", epilog=examples("slipway deployment make diabetes@champion iris/3", "slipway deployment show")
)
def deployment_group() -> None:
    """Deployments: a release and the models that it serves, as one immutable manifest."""


@deployment_group.command("make", epilog=examples("slipway deployment make diabetes@champion iris/3"))
@click.argument("models", nargs=-1, required=True, metavar="NAME@ALIAS|NAME/VERSION…")
@click.option("--release", "release_digest", metavar="SHA256", help="Another release than the fleet's.")
@click.option("--breaking", is_flag=True, help="The models may break the callers of the versions before them.")
@compile_option(default="auto")
def make(models: tuple[str, ...], release_digest: str | None, *, breaking: bool, mode: Mode) -> None:
    """Makes a deployment of exactly these models, the first the default, and prints its id as JSON.

    Activates nothing; making the same one again changes nothing.
    """
    with reported("slipway deployment make"):
        at, say = store.current(), functools.partial(print, file=sys.stderr)
        plan = promotion.plan(
            at,
            models,
            release_digest,
            breaking=breaking,
            alone=True,
            mode=mode,
            require_example=settings.current().require_example,
            progress=say,
        )
        click.echo(json.dumps({"id": promotion.make(at, plan, say)}))


@deployment_group.command("show", epilog=examples("slipway deployment show 3f2a9c1b7d20"))
@click.argument("deployment_id", required=False, metavar="[ID]")
def show(deployment_id: str | None) -> None:
    """Prints a deployment's manifest; the current one's without ID."""
    with reported("slipway deployment show"):
        at = store.current()
        wanted = deployment_id or at.pointer()
        click.echo(json.dumps({"id": wanted, **at.manifest(wanted)}, indent=2))


@click.group("pointer", epilog=examples("slipway pointer get"))
def pointer_group() -> None:
    """The pointer: which deployment the fleet is to serve."""


@pointer_group.command("get", epilog=examples("slipway pointer get"))
def get() -> None:
    """Prints the id of the current deployment."""
    with reported("slipway pointer get"):
        click.echo(store.current().pointer())


@pointer_group.command("set", epilog=examples("slipway pointer set 3f2a9c1b7d20"))
@click.argument("deployment_id", metavar="ID")
def set_(deployment_id: str) -> None:
    """Makes ID the current deployment. It is the commit of a rollout: nodes are activated before it, by deploy.yml."""
    with reported("slipway pointer set"):
        store.current().point(deployment_id)


@verb("drain", "slipway drain i-0123456789abcdef0")
@click.argument("instance_id", metavar="INSTANCE-ID")
def drain(instance_id: str) -> None:
    """Takes a node out of the balancer without losing a request, for a reboot or a reload (ASG Standby)."""
    with reported("slipway drain"):
        standby.drain(instance_id)


@verb("hold", "slipway hold i-0123456789abcdef0")
@click.argument("instance_id", metavar="INSTANCE-ID")
def hold(instance_id: str) -> None:
    """Keeps the group of a node from replacing it: for a reboot of the tracking node, which has none beside it."""
    with reported("slipway hold"):
        standby.hold(instance_id)


@verb("unhold", "slipway unhold i-0123456789abcdef0")
@click.argument("instance_id", metavar="INSTANCE-ID")
def unhold(instance_id: str) -> None:
    """Ends `hold`, once the balancer finds the node healthy."""
    with reported("slipway unhold"):
        standby.unhold(instance_id)


@verb("undrain", "slipway undrain i-0123456789abcdef0")
@click.argument("instance_id", metavar="INSTANCE-ID")
def undrain(instance_id: str) -> None:
    """Brings a drained node back, and waits until the balancer finds it healthy."""
    with reported("slipway undrain"):
        standby.undrain(instance_id)

"""`slipway wait`: the end of what an alias began, for a script that moved it."""

from pathlib import Path

import click

from ops import since, store, terminal
from ops.errors import UserError, reported
from ops.rollout import settings
from ops.rollout.settings import Delivery
from ops.steps import Steps
from ops.verbs.common import json_option, verb
from ops.watcher import outcome
from ops.watcher.registry import Registry
from ops.watcher.wish import Status
from ops.watcher.world import Node

SAID = {Status.REFUSED: "refused it, and no node was touched", Status.ROLLED_BACK: "went back"}


@verb(
    "wait",
    "slipway wait iris@champion",
    "slipway wait iris@champion --timeout 10m",
    "slipway wait iris@champion --json | jq -r .deployment",
)
@click.argument("wished", metavar="NAME@ALIAS")
@click.option("--timeout", default="30m", show_default=True, metavar="TIME", help="How long at most: 90s, 10m, 1h30m.")
@json_option
def wait(wished: str, timeout: str, as_json: bool) -> None:
    """Waits until the fleet serves the version that carries the alias, on all nodes, or is known not to.

    For whoever has moved the alias in MLflow; `slipway promote` waits by itself.

    Exit status 0: it is served. 1: it was refused or went back, or nothing follows this alias. 3: the time is up.
    """
    name, _, alias = wished.rpartition("@")
    length = since.length(timeout)
    if not name or not alias:
        raise click.UsageError("name a model and its alias: NAME@ALIAS")
    if length is None:
        raise click.BadParameter(f"{timeout!r} is no length of time: write 90s, 10m or 1h30m", param_hint="--timeout")
    with reported("slipway wait"):
        bounds, steps = settings.current(), Steps()
        refuse_unfollowed(bounds, name, alias)
        world = Node(store.current(), Registry.from_environment(), bounds, Path())
        with steps.step(wished) as step:
            found = outcome.wait(world, name, alias, step.say, length.total_seconds())
            if as_json:
                terminal.as_json(found)
            if not found.well:
                why = f"the fleet {SAID[found.status]}: {found.reason}"
                raise UserError(f"version {found.version} is not served, {why}", "`slipway history` has all of it")
            step.done(f"deployment {found.deployment} serves version {found.version}")


def refuse_unfollowed(bounds: Delivery, model: str, alias: str) -> None:
    """Raises `UserError` where nobody carries the alias out, for then nothing would ever end."""
    if reason := bounds.unfollowed(model):
        raise UserError(f"nothing follows {model}@{alias}: {reason}")
    if alias != bounds.alias:
        told = f"nothing follows {model}@{alias}: the stack follows {bounds.alias} (delivery.alias)"
        raise UserError(told, f"`slipway promote {model}@{alias}` rolls it out, and waits for it")

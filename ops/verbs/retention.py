"""`slipway prune`."""

import os

import click

from ops import maintenance, prune, store, terminal
from ops.errors import reported
from ops.rollout import begin, settings
from ops.verbs.common import json_option, verb

MIB = 2**20


@verb("prune", "slipway prune", "slipway prune --keep 10 --days 90", "slipway prune --yes")
@click.option("--keep", type=click.IntRange(2), help="How many deployments stay; the setting delivery.keepDeployments.")
@click.option("--days", type=click.IntRange(1), default=30, show_default=True, help="What history names so long stays.")
@click.option("--yes", is_flag=True, help="Remove it. Without this it is only listed.")
@json_option
def prune_(*, keep: int | None, days: int, yes: bool, as_json: bool) -> None:
    """Lists which deployments, releases and models in the bucket no rollback can want; removes them with --yes.

    Refused while a rollout is under way. A versioned bucket keeps what was removed for storage.noncurrentDays.
    """
    with reported("slipway prune"):
        at = store.current()
        keep = keep or settings.current().keep_deployments
        if not yes:
            begin.refuse_if_locked(at)
            found = prune.plan(at, keep, days)
        else:
            owner = maintenance.begin(at, os.getpid())
            try:
                found = prune.plan(at, keep, days)
                prune.remove(at, found.removed)
            finally:
                maintenance.end(at, owner.rollout)
    if as_json:
        removed = [each.key for each in found.removed]
        terminal.as_json({"kept": found.kept, "removed" if yes else "removable": removed, "bytes": found.bytes})
        return
    terminal.lines(table(found, yes))


def table(found: prune.Plan, removed: bool) -> list[str]:
    lines = [f"{name}  stays: {why}" for name, why in sorted(found.kept.items())]
    lines += [f"{each.key}  {each.size / MIB:.1f} MiB" for each in found.removed]
    verb_ = "removed" if removed else "can go (--yes removes them)"
    return [*lines, f"{len(found.removed)} objects, {found.bytes / MIB:.0f} MiB, {verb_}"]

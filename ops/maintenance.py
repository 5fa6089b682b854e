"""Maintenance of nodes (`site.yml -e updates=true`) holds the lock of rollouts: nothing is rolled out to a fleet whose
nodes come and go, and nothing comes and goes in the middle of a rollout.

It is written down as a rollout of what is served already. The keeper of rollouts keeps it: a play that dies leaves no
lock behind.
"""

import click

from ops import store
from ops.errors import UserError, reported
from ops.rollout import begin as rollouts
from ops.rollout import ending, keeper
from ops.rollout.history import Kind, Outcome, identify
from ops.rollout.lock import Lock, Owner
from ops.rollout.objects import Objects
from ops.store import Store

REASON = "maintenance of the nodes: site.yml"


def begin(at: Store, controller: int) -> Owner:
    """Takes the lock for the process `controller`. Raises `UserError` when a rollout is under way."""
    started, pointer = Objects(at).now(), at.pointer()
    owner = Owner(
        rollout=identify(started, pointer),
        deployment=pointer,
        previous=pointer,
        kind=str(Kind.DEPLOY),
        by=rollouts.operator(),
        reason=REASON,
        since=started.isoformat(timespec="seconds"),
    )
    if taken_over := Lock(at).take(owner):
        ending.write_interrupted(at, taken_over.owner, "its lock expired")
    keeper.start(owner.rollout, controller)
    return owner


def end(at: Store, rollout: str) -> None:
    """Raises `LostError` when the lock is no longer this one's."""
    ending.conclude(at, Lock(at).check(rollout), Outcome.DONE, "", [])


@click.group("maintenance")
def main() -> None:
    """Keeps rollouts away while nodes are maintained, for the playbooks."""


@main.command("begin")
@click.option("--check", is_flag=True, help="Only look whether it could be had.")
def begin_command(check: bool) -> None:
    """Takes the lock, and prints what it is to be released by."""
    with reported("slipway maintenance"):
        at = store.current()
        if check:
            rollouts.refuse_if_locked(at)
            click.echo("checked")
        else:
            click.echo(begin(at, keeper.controller()).rollout)


@main.command("end")
@click.argument("rollout")
def end_command(rollout: str) -> None:
    """Releases the lock."""
    with reported("slipway maintenance"):
        if not rollout:
            raise UserError("there is no lock to release", "`slipway maintenance begin` prints what it is released by")
        end(store.current(), rollout)

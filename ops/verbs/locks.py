"""`slipway lock`, and `slipway pause` and `resume` of following the alias."""

import sys

import click

from contract import S3
from ops import store, terminal
from ops.errors import reported
from ops.rollout.begin import operator
from ops.rollout.lock import Lock
from ops.rollout.objects import Objects
from ops.status.gather import paused_words
from ops.verbs.common import examples, json_option, verb


@click.group("lock", epilog=examples("slipway lock show", "slipway lock break"))
def lock() -> None:
    """The lock that lets one rollout happen at a time."""


@verb("show", "slipway lock show", "slipway lock show --json")
@json_option
def show(as_json: bool) -> None:
    """Says who rolls out what, since when. Exit status 1 when somebody does."""
    with reported("slipway lock"):
        held = Lock(store.current()).read()
    if as_json:
        terminal.as_json({"held": held.owner, "age_seconds": held.age_seconds, "expired": held.expired} if held else {})
    else:
        click.echo("nobody holds it" if held is None else f"{held}{' (expired)' if held.expired else ''}")
    sys.exit(1 if held and not held.expired else 0)


@verb("break", "slipway lock break")
def break_() -> None:
    """Takes the lock from whoever holds it. That rollout stops at its next step, and its nodes return."""
    with reported("slipway lock"):
        held = Lock(store.current()).break_()
    click.echo("nobody held it" if held is None else f"broken: {held}")


lock.add_command(show)
lock.add_command(break_)


@verb("pause", "slipway pause", "slipway pause --reason 'the campaign ends on Monday'")
@click.option("--reason", default="", help="For whoever asks why nothing moves.")
def pause(reason: str) -> None:
    """Lets aliases move in MLflow without the fleet following, until `slipway resume`. Rollouts by hand still work."""
    with reported("slipway pause"):
        objects = Objects(store.current())
        since = objects.now().isoformat(timespec="seconds")
        content = {"by": operator(), "since": since, **({"reason": reason} if reason else {})}
        if objects.write(S3.paused, content, None):
            click.echo("paused")
        elif found := objects.read(S3.paused):
            click.echo(f"paused already {paused_words(found.content)}")


@verb("resume", "slipway resume")
def resume() -> None:
    """Lets the fleet follow the alias again: what it says by now is rolled out."""
    with reported("slipway resume"):
        objects = Objects(store.current())
        found = objects.read(S3.paused)
        objects.delete(S3.paused)
    click.echo(f"resumed; it was paused {paused_words(found.content)}" if found else "it was not paused")

"""`slipway push`: repositories that a push goes live from."""

import os
from pathlib import Path

import click

from ops import terminal
from ops.errors import reported
from ops.push import init as making
from ops.push import remote as remotes
from ops.push.asked import FILE
from ops.verbs.common import examples, verb


@click.group("push", epilog=examples("slipway push init ../live.git", "slipway push remote"))
def push() -> None:
    """git push to live: a repository trains a model or builds a release of what it is sent, and rolls it out."""


@verb("init", "slipway push init ../live.git", "slipway push init ../live.git --branch main --environment .slipway/env")
@click.argument("folder", type=click.Path(path_type=Path), metavar="DIR")
@click.option("--branch", default="production", show_default=True, help="The one branch that is taken.")
@click.option(
    "--environment",
    type=click.Path(path_type=Path),
    help="A file of shell lines by which the hooks find the stack, like .slipway/env. Without it, the pusher's own.",
)
def init(folder: Path, branch: str, environment: Path | None) -> None:
    """Makes a bare repository on this machine that takes pushes for the stack at hand, or sets one up anew."""
    with reported("slipway push init"):
        made = making.make(folder, branch, environment=environment, stack=os.environ.get("SLIPWAY_STACK", ""))
        terminal.say(f"made; in a repository with a {FILE}:")
        click.echo(f"git remote add slipway {made.folder}")
        click.echo(f"git push slipway HEAD:{branch}")


@verb("remote", "slipway push remote", "slipway push remote live")
@click.argument("name", default="slipway", metavar="[NAME]")
@click.option("--environment", type=click.Path(path_type=Path), help="As for `push init`; for git, when it connects.")
def remote(name: str, environment: Path | None) -> None:
    """Makes the stack's pipeline node a remote of the git repository at hand, reached as operators reach nodes."""
    with reported("slipway push remote"):
        url = remotes.add(Path.cwd(), name, environment)
        click.echo(f"git push {name} HEAD:{remotes.branch()}")
        terminal.say(f"{name} is {url}")


push.add_command(init)
push.add_command(remote)

"""`slipway status`."""

import sys
import time

import click

from ops import store, terminal
from ops.errors import reported
from ops.inventory import Access
from ops.status.facts import Status
from ops.status.gather import gather
from ops.status.show import show
from ops.verbs.common import json_option, verb

PAUSE_SECONDS = 2.0
HOME = "\033[H\033[J"


@verb("status", "slipway status", "slipway status --watch", "slipway status --json | jq '.problems'")
@click.option("--watch", is_flag=True, help="Show it again and again, until Ctrl-C.")
@json_option
def status(watch: bool, as_json: bool) -> None:
    """What the fleet is to serve, and what every node and worker serves.

    Exit status 0: all agree with the pointer. 1: some do not, or do not answer.
    """
    with reported("slipway status"):
        at, access = store.current(), Access.from_environment()
        found = gather(at, access)
        _print(found, as_json, watch)
        while watch:
            try:
                time.sleep(PAUSE_SECONDS)
                found = gather(at, access)
            except KeyboardInterrupt:
                break
            _print(found, as_json, watch)
    sys.exit(0 if found.agrees else 1)


def _print(found: Status, as_json: bool, watch: bool) -> None:
    if as_json:
        terminal.as_json({"agrees": found.agrees, **vars(found)})
        return
    if watch and sys.stdout.isatty():
        click.echo(HOME, nl=False)
    terminal.lines(show(found, terminal.width()))

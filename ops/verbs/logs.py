"""`slipway logs`."""

from collections.abc import Sequence

import click

from ops import journal, reading, store, terminal
from ops.errors import UserError, reported
from ops.inventory import Access
from ops.journal import Entry
from ops.node_logs import Shipper, shippers
from ops.nodes import Node, nodes
from ops.remote import pin_all
from ops.verbs.common import json_option, verb

SINCE = "-1h"
GOING = ("stopping", "stopped")
"""States in which a node answers no more."""


@verb(
    "logs",
    "slipway logs",
    "slipway logs i-0123456789abcdef0 --since '10 min ago'",
    "slipway logs --follow",
    "slipway logs --request-id 5f0c2c…       one request, from Nginx to the model",
)
@click.argument("node", required=False, metavar="[NODE]")
@click.option("--follow", is_flag=True, help="Go on with what is written from now on, until Ctrl-C.")
@click.option("--request-id", metavar="ID", help="Only the lines of this request: its X-Request-Id.")
@click.option("--since", help="As journalctl takes it: -5min, '12:00', yesterday; the last hour without it.")
@click.option("-n", "count", type=click.IntRange(1), default=200, show_default=True, help="How many at most.")
@json_option
def logs(
    *, node: str | None, follow: bool, request_id: str | None, since: str | None, count: int, as_json: bool
) -> None:
    """The journal of NODE (an id, the end of one, or a role), or of all serving nodes, in order of time.

    Of a node that is gone it is what it shipped; the last hour is then the one before its end.

    Exit status 1 when a node does not answer, or when no line has the request id.
    """
    with reported("slipway logs"):
        access = Access.from_environment()
        alive = [each for each in nodes(access.stack) if each.state not in GOING]
        if node and (gone := _gone(alive, node)):
            if follow:
                raise UserError(f"{gone.name} is gone, and writes no more", "leave out --follow")
            entries = reading.read_gone(store.current(), gone, since, count, request_id)
            _print_all(entries, as_json, request_id, since or "the hour before its end")
            return
        chosen, since = reading.choose(alive, node), since or SINCE
        hindered = pin_all(chosen, access)
        reachable = [each for each in chosen if each.name not in hindered]
        if follow:
            try:
                for entry in reading.follow(reachable, access, since, request_id):
                    _print(entry, as_json)
            except KeyboardInterrupt:
                return
            return
        entries, silent = reading.read(reachable, access, since, count, request_id)
        silent |= hindered
        _print_all(entries, as_json, "" if silent else request_id, since)
        if silent:
            raise UserError("; ".join(f"{name}: {why}" for name, why in silent.items()))


def _gone(alive: Sequence[Node], wanted: str) -> Shipper | None:
    """None when it lives, or when nothing of such a node is kept."""
    try:
        reading.choose(alive, wanted)
    except UserError:
        here = {each.id for each in alive}
        return reading.choose_gone([each for each in shippers(store.current()) if each.id not in here], wanted)
    return None


def _print_all(entries: list[Entry], as_json: bool, request_id: str | None, since: str) -> None:
    """Raises `UserError` when no line is of the request."""
    for entry in entries:
        _print(entry, as_json)
    if request_id and not entries:
        raise UserError(f"no line since {since} has the request id {request_id}", "look further back with --since")


def _print(entry: Entry, as_json: bool) -> None:
    if as_json:
        terminal.json_line(entry)
    else:
        terminal.lines([journal.line(entry)])

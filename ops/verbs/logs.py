"""`slipway logs`."""

import click

from ops import journal, reading, terminal
from ops.errors import UserError, reported
from ops.inventory import Access
from ops.journal import Entry
from ops.nodes import nodes
from ops.remote import pin_all
from ops.verbs.common import json_option, verb


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
@click.option("--since", default="-1h", show_default=True, help="As journalctl takes it: -5min, '12:00', yesterday.")
@click.option("-n", "count", type=click.IntRange(1), default=200, show_default=True, help="How many at most.")
@json_option
def logs(*, node: str | None, follow: bool, request_id: str | None, since: str, count: int, as_json: bool) -> None:
    """The journal of NODE (an id, the end of one, or a role), or of all serving nodes, in order of time.

    Exit status 1 when a node does not answer, or when no line has the request id.
    """
    with reported("slipway logs"):
        access = Access.from_environment()
        chosen = reading.choose(nodes(access.stack), node)
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
        for entry in entries:
            _print(entry, as_json)
        if silent := silent | hindered:
            raise UserError("; ".join(f"{name}: {why}" for name, why in silent.items()))
        if request_id and not entries:
            raise UserError(f"no line since {since} has the request id {request_id}", "look further back with --since")


def _print(entry: Entry, as_json: bool) -> None:
    if as_json:
        terminal.json_line(entry)
    else:
        terminal.lines([journal.line(entry)])

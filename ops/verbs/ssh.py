"""`slipway ssh`: a node's shell, or a port of it, by the way in that all access to nodes takes."""

import os
import sys

import click

from ops import reading, remote
from ops.errors import UserError, reported
from ops.inventory import USER, Access
from ops.nodes import nodes
from ops.verbs.common import verb


@verb(
    "ssh",
    "slipway ssh pipeline",
    "slipway ssh pipeline -N -L 8088:127.0.0.1:8088   a port of it, here",
    "slipway ssh i-0123456789abcdef0 systemctl status nginx",
    ignore_unknown_options=True,
    allow_interspersed_args=False,
)
@click.argument("node", metavar="NODE")
@click.argument("words", nargs=-1, type=click.UNPROCESSED, metavar="[SSH'S OWN WORDS]…")
def ssh(node: str, words: tuple[str, ...]) -> None:
    """Logs in at NODE (an id, the end of one, or a role), as the account whose sudo asks for no password.

    What follows is ssh's: its options, or a command. Key, tunnel and host key are those of the inventory.
    """
    with reported("slipway ssh"):
        access = Access.from_environment()
        chosen = reading.choose(nodes(access.stack), node)
        hindered = remote.pin_all(chosen, access)
        reachable = [each for each in chosen if each.name not in hindered]
        if not reachable:
            raise UserError("; ".join(f"{name}: {why}" for name, why in hindered.items()))
        sys.stdout.flush()
        argv = ["ssh", *remote.options(reachable[0], access), f"{USER}@{reachable[0].id}", *words]
        os.execvp(argv[0], argv)  # noqa: S606

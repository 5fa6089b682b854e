"""`slipway jobs`: what is queued, runs, is done and dead, asked of a serving node, which reaches the database."""

import json
from collections.abc import Sequence
from typing import Any

import click

from contract import JOBS_EXIT, PATHS
from ops import remote, terminal
from ops.errors import UserError, reported
from ops.inventory import Access
from ops.nodes import nodes
from ops.table import Cell, Column, render
from ops.verbs.common import json_option, verb

SECONDS = 30.0
STATES = ("queued", "running", "succeeded", "failed", "cancelled")
COLOURS = {"succeeded": "green", "failed": "red", "running": "cyan", "cancelled": "yellow"}
LIBRARIES = f"PYTHONPATH={PATHS.jobs}/src:{PATHS.jobs}/lib"
GUARDED = f'test -e {PATHS.jobs} || exit {JOBS_EXIT.absent}; exec "$@"'
COMMAND = ["sh", "-c", GUARDED, "sh", "env", LIBRARIES, "python3", "-m", "jobs.admin"]
HINT = "turn them on with the setting slipway:jobs, and see `slipway status` for the nodes"


@click.group("jobs", context_settings={"help_option_names": ["-h", "--help"]})
def jobs() -> None:
    """Asynchronous predictions: list them, look at one, cancel it, and deal with the dead."""


@verb("list", "slipway jobs list", "slipway jobs list --state failed -n 10", "slipway jobs list --json | jq .counts")
@click.option("--state", type=click.Choice(STATES), help="Only these.")
@click.option("-n", "count", type=click.IntRange(1, 1000), default=20, show_default=True, help="How many at most.")
@json_option
def list_(state: str | None, count: int, as_json: bool) -> None:
    """The newest jobs, and how many there are in each state."""
    with reported("slipway jobs list"):
        found = ask("list", "--count", str(count), *(["--state", state] if state else []))
    if as_json:
        terminal.as_json(found)
        return
    terminal.lines(table(found["jobs"], terminal.width()) if found["jobs"] else ["no such job"])
    terminal.say(", ".join(f"{found['counts'][each]} {each}" for each in STATES if each in found["counts"]))


@verb("show", "slipway jobs show 01a1ffc6-04c3-7250-a3e1-db6a5f8016b9")
@click.argument("job", metavar="ID")
@json_option
def show(job: str, as_json: bool) -> None:
    """Everything that is known of a job, but for its input and its result."""
    with reported("slipway jobs show"):
        found = ask("show", job)
    if as_json:
        terminal.as_json(found)
    else:
        terminal.lines([f"{name:<13}{value}" for name, value in found.items() if value not in (None, False)])


@verb("cancel", "slipway jobs cancel 01a1ffc6-04c3-7250-a3e1-db6a5f8016b9")
@click.argument("job", metavar="ID")
@json_option
def cancel(job: str, as_json: bool) -> None:
    """Takes a job out of the queue; of one that runs, the answer is thrown away. Refused when it has ended."""
    with reported("slipway jobs cancel"):
        found = ask("cancel", job)
    if as_json:
        terminal.as_json(found)
    else:
        terminal.say(f"cancelled; it was {found['was']}")


@jobs.group("dead")
def dead() -> None:
    """Jobs that were given up after as many attempts as they may have, and messages that are not ours."""


@verb("list", "slipway jobs dead list", "slipway jobs dead list --json")
@json_option
def dead_list(as_json: bool) -> None:
    """The dead, each with the reason of its last attempt."""
    with reported("slipway jobs dead list"):
        found = ask("dead", "--count", "1000")
    if as_json:
        terminal.as_json(found)
        return
    terminal.lines(table(found["jobs"], terminal.width()) if found["jobs"] else ["no dead job"])
    for message in found["foreign"]:
        terminal.lines([f"not ours: {message['body']} {message['headers']}"])


@verb("requeue", "slipway jobs dead requeue 01a1ffc6-04c3-7250-a3e1-db6a5f8016b9", "slipway jobs dead requeue --all")
@click.argument("ids", nargs=-1, metavar="[ID]…")
@click.option("--all", "everything", is_flag=True, help="All of them.")
def requeue(ids: tuple[str, ...], everything: bool) -> None:
    """Queues them anew, with all their attempts."""
    _chosen(ids, everything)
    with reported("slipway jobs dead requeue"):
        terminal.say(f"{len(ask('requeue', *ids)['requeued'])} queued again")


@verb("drop", "slipway jobs dead drop 01a1ffc6-04c3-7250-a3e1-db6a5f8016b9", "slipway jobs dead drop --all")
@click.argument("ids", nargs=-1, metavar="[ID]…")
@click.option("--all", "everything", is_flag=True, help="All of them, and the messages that are not ours.")
def drop(ids: tuple[str, ...], everything: bool) -> None:
    """Leaves them failed, and shows them here no more."""
    _chosen(ids, everything)
    with reported("slipway jobs dead drop"):
        terminal.say(f"{len(ask('drop', *ids)['dropped'])} dropped")


for each in (list_, show, cancel):
    jobs.add_command(each)
for each in (dead_list, requeue, drop):
    dead.add_command(each)


def _chosen(ids: Sequence[str], everything: bool) -> None:
    if bool(ids) == everything:
        raise click.UsageError("name jobs, or say --all")


def ask(*words: str) -> Any:
    """What a node's administration answers, from the first serving node that can. Raises `UserError`."""
    access = Access.from_environment()
    fleet = [node for node in nodes(access.stack) if node.role == "serving"]
    hindered = remote.pin_all(fleet, access)
    reasons = [f"{name}: {why}" for name, why in hindered.items()]
    for node in (each for each in fleet if each.name not in hindered):
        answer = remote.ask(node, access, [*COMMAND, *words], SECONDS)
        if not answer.error:
            return json.loads(answer.output)
        if answer.status == JOBS_EXIT.absent:
            raise UserError("this stack has no asynchronous predictions", HINT)
        if answer.status == JOBS_EXIT.refused:
            raise UserError(answer.error)
        reasons.append(f"{node.name}: {answer.error}")
    raise UserError("; ".join(reasons) or "the stack has no serving node", "`slipway status` shows the nodes")


def table(rows: Sequence[dict[str, Any]], width: int) -> list[str]:
    columns = [
        Column("ID"),
        Column("STATE"),
        Column("CREATED", optional=2),
        Column("TRIES", optional=3),
        Column("MODEL", optional=1),
        Column("DEPLOYMENT", optional=4),
        Column("WHY"),
    ]
    lines: list[list[Cell | str]] = [
        [
            row["id"],
            Cell(row["state"], COLOURS.get(row["state"], "")),
            str(row["created"])[:19].replace("T", " "),
            str(row["attempt"]),
            row["model"] or "",
            row["deployment"] or "",
            row["reason"] or "",
        ]
        for row in rows
    ]
    return render(columns, lines, width)

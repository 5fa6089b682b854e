"""`slipway history` and `slipway diff`."""

import itertools
import sys
from collections.abc import Mapping
from typing import Any

import click

from ops import release, store, terminal
from ops.difference import Change, changes
from ops.environments import of_release
from ops.errors import reported
from ops.rollout.history import History, Outcome, Record
from ops.store import Store
from ops.table import Cell, Column, duration, render
from ops.verbs.common import json_option, verb

COLOURS = {Outcome.DONE: "green", Outcome.INTERRUPTED: "yellow"}
NOTHING = "-"
MARKS = {"breaking": "red", "model": "cyan", "release": "cyan"}


@verb("history", "slipway history", "slipway history -n 3", "slipway history --json | jq '.[0].why'")
@click.option("-n", "count", type=click.IntRange(1), default=20, show_default=True, help="How many, the newest first.")
@json_option
def history(count: int, as_json: bool) -> None:
    """Every rollout: when, what, who, how long it took, what came of it and why."""
    with reported("slipway history"):
        records = list(itertools.islice(History(store.current()).newest_first(), count))
    if as_json:
        terminal.as_json(records)
    elif records:
        terminal.lines(table(records, terminal.width()))
    else:
        terminal.say("no rollout yet")


def table(records: list[Record], width: int) -> list[str]:
    columns = [
        Column("STARTED"),
        Column("KIND", optional=2),
        Column("DEPLOYMENT"),
        Column("BEFORE", optional=1),
        Column("BY", optional=3),
        Column("TOOK"),
        Column("OUTCOME"),
        Column("WHY"),
    ]
    rows: list[list[Cell | str]] = [
        [
            record.started.partition("+")[0].replace("T", " ")[:16],
            str(record.kind),
            record.deployment,
            record.previous,
            record.by,
            duration(record.seconds),
            Cell(str(record.outcome), COLOURS.get(record.outcome, "red")),
            " ".join((record.why or record.reason).split()),
        ]
        for record in records
    ]
    return render(columns, rows, width)


@verb("diff", "slipway diff previous current", "slipway diff 3f2a9c1b7d20 current --json")
@click.argument("before", metavar="A")
@click.argument("after", metavar="B")
@json_option
def diff(before: str, after: str, as_json: bool) -> None:
    """What differs between two deployments: ids, or `current` and `previous`.

    Models and versions, their metrics, parameters, requirements and signatures, and the packages of the releases.
    Exit status 1 when something does.
    """
    with reported("slipway diff"):
        at = store.current()
        old, new = (at.manifest(identified(at, each)) for each in (before, after))
        same = old["release"] == new["release"]
        found = changes(old, new, ({}, {}) if same else (_packages(at, old), _packages(at, new)))
    if as_json:
        terminal.as_json(found)
    else:
        terminal.lines(rendered(found, terminal.width()) if found else ["no difference"])
    sys.exit(1 if found else 0)


def identified(at: Store, name: str) -> str:
    """The id of a deployment that is named by its place. Raises `UserError`."""
    if name == "current":
        return at.pointer()
    return History(at).before(at.pointer()) if name == "previous" else name


def rendered(found: list[Change], width: int) -> list[str]:
    columns = [Column("WHAT"), Column("NAME"), Column("A"), Column("B")]
    rows: list[list[Cell | str]] = [
        [Cell(change.what, MARKS.get(change.what, "")), change.name, change.before or NOTHING, change.after or NOTHING]
        for change in found
    ]
    return render(columns, rows, width)


def _packages(at: Store, manifest: Mapping[str, Any]) -> Mapping[str, str]:
    return of_release(release.unpacked(at, manifest["release"], terminal.say)).versions

"""`slipway train`: a pipeline by hand, all its steps in one process."""

import secrets
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import click

from ops import terminal
from ops.errors import UserError, reported
from ops.steps import Steps
from ops.table import Cell, Column, render
from ops.training import address, outline
from ops.training.order import NOTIFY, WORK
from ops.training.outline import Unusable
from ops.verbs.common import data_option, json_option, verb

if TYPE_CHECKING:
    from ops.training.steps import Training


@verb(
    "train",
    "slipway train diabetes",
    "slipway train diabetes --data rows.csv",
    "slipway train diabetes --data postgresql://trainer@db.internal/shop",
    "slipway train diabetes --run by-hand-20260102T030405Z-3f2a   goes on with a run that was broken off",
    "slipway train --list",
)
@click.argument("pipeline", required=False, metavar="NAME")
@data_option
@click.option("--run", "run_id", metavar="ID", help="An earlier run, to go on with.")
@click.option("--list", "listing", is_flag=True, help="Which pipelines there are.")
@json_option
def train(*, pipeline: str | None, data: str | None, run_id: str | None, listing: bool, as_json: bool) -> None:
    """Trains by a pipeline, and moves the alias when the new model is better.

    Validates the data, trains, compares with the champion on rows held back, registers, moves the alias, follows the
    rollout to its end and tells a chat, if there is one. A run that changes nothing says why.
    """
    if listing is bool(pipeline):
        raise click.UsageError("name a pipeline, or give --list")
    if listing:
        return show(as_json=as_json)
    assert pipeline
    with reported("slipway train"):
        outline.find(pipeline)  # before what takes seconds to import
        data = address.argument(data)
        from ops.training import runner

        steps = Steps()
        run_id = run_id or identity()
        steps.line(f"     run {run_id} of pipeline {pipeline}")
        told = runner.report(through(runner.opened(pipeline, run_id, data), steps))
        if as_json:
            return terminal.as_json(told)
        terminal.say(f"{told.outcome}: {told.why}")
        terminal.say(told.link)
    return None


def identity() -> str:
    """An id of a run, sortable, and one's own."""
    return f"by-hand-{datetime.now(UTC):%Y%m%dT%H%M%SZ}-{secrets.token_hex(2)}"


def through(training: "Training", steps: Steps) -> "Training":
    """All steps, and the end, also after one that failed. Raises `UserError`."""
    from ops.training import runner, told

    failure: UserError | None = None
    for name in WORK:
        try:
            with steps.step(name) as step:
                step.done(runner.perform(name, replace(training, say=step.say)))
        except UserError as error:
            failure = error
            break
    try:
        with steps.step(NOTIFY) as step:
            step.done(told.end(training))
    except UserError as error:
        failure = failure or error
    if failure is not None:
        raise failure
    return training


def show(*, as_json: bool) -> None:
    """The pipelines of the folder, and what is no pipeline."""
    found = list(outline.all_of())
    if as_json:
        return terminal.as_json([{**vars(each), "file": str(getattr(each, "file", ""))} for each in found])
    if not found:
        return terminal.say(f"{outline.folder()} has no pipeline")
    columns = [Column("PIPELINE"), Column("MODEL"), Column("METRIC"), Column("SCHEDULE"), Column("WHAT", optional=1)]
    rows: list[list[Cell | str]] = [
        [each.name, "", "", "", Cell(each.reason, "red")]
        if isinstance(each, Unusable)
        else [each.name, each.model, each.metric or "", each.schedule or "", each.summary]
        for each in found
    ]
    return terminal.lines(render(columns, rows, terminal.width()))

"""`slipway batch`: a file scored by the workers of asynchronous predictions."""

import sys

import click

from ops import store, terminal
from ops.errors import UserError, interruptible, reported
from ops.verbs.common import verb

ROWS = 500
AT_ONCE = 16


@verb(
    "batch",
    "slipway batch in.csv out.csv",
    "slipway batch s3://data/in.parquet s3://data/out.parquet --model diabetes",
    "slipway batch in.csv out.parquet --columns age,bmi --url https://predictions.example.com",
)
@click.argument("source", metavar="IN")
@click.argument("output", metavar="OUT")
@click.option("--model", metavar="NAME", help="Another model than the default one.")
@click.option("--columns", metavar="A,B…", help="What of each row the model is given; all columns without it.")
@click.option("--chunk", type=click.IntRange(1, 100_000), default=ROWS, show_default=True, help="Rows of a job.")
@click.option("--at-once", type=click.IntRange(1, 1000), default=AT_ONCE, show_default=True, help="Jobs at a time.")
@click.option("--url", help="Where predictions are answered; without it, the stack's own address.")
@click.option("--restart", is_flag=True, help="Forget an interrupted run into OUT, and begin anew.")
def batch(
    *,
    source: str,
    output: str,
    model: str | None,
    columns: str | None,
    chunk: int,
    at_once: int,
    url: str | None,
    restart: bool,
) -> None:
    """Predicts for every row of IN, and writes OUT: the same rows in the same order, each with its prediction.

    IN and OUT end with .csv or .parquet, here or in S3. The same command again goes on where it was interrupted.

    Exit status 0: all rows are done. 1: some are refused, or nobody answers; 130: interrupted.
    """
    interruptible()
    with reported("slipway batch"):
        from ops.batch.client import Client
        from ops.batch.files import Place, count
        from ops.batch.score import Run, combine
        from ops.batch.score import source as read
        from ops.batch.work import Wanted, Work

        given, wanted_output = Place(source), Place(output)
        names = [name.strip() for name in columns.split(",")] if columns else None
        kinds = given.kind, wanted_output.kind
        wanted = Wanted(source=source, fingerprint=given.fingerprint(), rows=chunk, model=model, columns=names)
        client = Client(url or str(store.outputs()["url"]), model, terminal.say)
        work = Work(wanted_output, wanted, restart=restart)
        frames = read(given, work, chunk)
        total = count(given.fetched(work.folder), kinds[0], chunk)
        with click.progressbar(length=total, label=f"{total} rows", file=sys.stderr) as bar:
            run = Run(client, work, names, at_once, bar.update)
            run.score(frames())
        if run.failed:
            shown = "\n  ".join(run.failed[:5])
            hint = "put them right in the input, or run the same command again to try them again; the rest is kept"
            raise UserError(f"{len(run.failed)} of the chunks failed:\n  {shown}", hint)
        combine(frames(), work, wanted_output)
        work.remove()
        terminal.say(f"{total} rows in {output}")

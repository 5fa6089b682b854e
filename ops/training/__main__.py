"""`python -m ops.training STEP NAME --run ID`: one step of a training, as the scheduler's tasks call it; and `seed`."""

import sys

import click

from ops.errors import UserError, interruptible, reported
from ops.training import address, order, outline
from ops.verbs.common import data_option


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
def main() -> None:
    """Steps of a training. Each may be run again, and does nothing twice."""


def step(name: str) -> click.Command:
    @click.argument("pipeline", metavar="NAME")
    @click.option(
        "--run", "run_id", required=True, metavar="ID", help="Which run of the pipeline; any new id begins one."
    )
    @data_option
    def perform(pipeline: str, run_id: str, data: str | None) -> None:
        from ops.training import runner

        with reported(f"slipway training {name}"):
            training = runner.opened(
                pipeline, run_id, address.argument(data), lambda text: click.echo(f"  {text}", err=True)
            )
            click.echo(runner.perform(name, training))

    return click.command(name, help=f"Does the step {name} of a run.")(perform)


@main.command(order.NOTIFY)
@click.argument("pipeline", metavar="NAME")
@click.option("--run", "run_id", required=True, metavar="ID", help="Which run of the pipeline.")
def notify(pipeline: str, run_id: str) -> None:
    """Ends a run, and tells what became of it, also when a step has failed."""
    from ops.training import runner, told

    with reported("slipway training notify"):
        click.echo(told.end(runner.opened(pipeline, run_id, None)))


@main.command()
@click.argument("pipeline", metavar="NAME")
@data_option
def seed(pipeline: str, data: str | None) -> None:
    """Makes the pipeline's table in PostgreSQL and fills it with the pipeline's own rows, unless it has some."""
    from ops.training import database
    from ops.training.pipeline import Pipeline

    with reported("slipway training seed"):
        where = address.argument(data) or address.given(pipeline) or ""
        if not address.is_address(where):
            raise UserError("seed needs a database", "give --data postgresql://HOST/NAME")
        found = Pipeline.of(outline.find(pipeline))
        table = found.table
        if table.columns is None:
            raise UserError(f"pipelines/{pipeline}.py has no COLUMNS", "they say which table is to be made")
        wrote = database.seed(where, pipeline, table.checked(found.load(None)), table.columns)
        said = f"{wrote} rows written" if wrote else "it has rows already: nothing is changed"
        click.echo(f"{address.shown(where)}, table {pipeline}: {said}")


for each in order.WORK:
    main.add_command(step(each))

if __name__ == "__main__":
    interruptible()
    main(prog_name="python -m ops.training")
    sys.exit(0)

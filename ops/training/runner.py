"""The order of the steps, what one of them is to whoever runs it, and what is told of the whole at its end."""

import logging
import os
import sys
from collections.abc import Callable, Mapping
from contextlib import redirect_stdout, suppress
from dataclasses import dataclass, field

import mlflow
from mlflow.exceptions import MlflowException

from ops.errors import UserError
from ops.training import follow, steps
from ops.training.book import FAILED, TRAINING, Book, first_line
from ops.training.order import PAGES, WORK
from ops.training.outline import find
from ops.training.pipeline import Pipeline
from ops.training.steps import BECAUSE, DATA, DECISION, EVALUATION, ROWS, VERSION, Training

DOES: Mapping[str, Callable[[Training], str]] = {
    "validate": steps.validate,
    "train": steps.train,
    "evaluate": steps.evaluate,
    "register": steps.register,
    "promote": steps.promote,
    "follow": follow.follow,
}
assert tuple(DOES) == WORK
QUIET = {
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
    "MLFLOW_UV_AUTO_DETECT": "false",  # a checkout's own lock is no part of a model
}
FAILURE, UNCHANGED, PROMOTED = "failed", "unchanged", "promoted"


@dataclass(frozen=True, kw_only=True)
class Report:
    """What became of a training. `outcome` is failed, unchanged or promoted; `why` is the reason in words."""

    run: str
    pipeline: str
    model: str
    outcome: str
    why: str
    data: str = ""
    rows: str = ""
    version: str = ""
    decision: str = ""
    deployment: str = ""
    metric: str = ""
    metrics: Mapping[str, float] = field(default_factory=dict)
    champion: str = ""
    champion_metrics: Mapping[str, float] = field(default_factory=dict)
    mlflow_run: str = ""
    link: str = ""


def opened(name: str, run: str, data: str | None, say: Callable[[str], None] = lambda _: None) -> Training:
    """Raises `UserError` for a pipeline that is not there or cannot be loaded."""
    logging.getLogger("mlflow").setLevel(logging.ERROR)  # what it warns of, the gate checks
    os.environ |= QUIET
    pipeline = Pipeline.of(find(name))
    return Training(pipeline, Book.open(name, run), data, say)


def perform(step: str, training: Training) -> str:
    """Does one step unless this run has done it; what came of it, in words. Raises `UserError`."""
    book = training.book
    if (known := book.outcome(step)) is not None:
        return known
    try:
        try:
            with redirect_stdout(sys.stderr):  # the result is ours alone: MLflow and pipelines print, too
                said = DOES[step](training)
        except MlflowException as error:
            raise UserError(f"MLflow: {first_line(error)}", "run the step again when it is well") from error
        book.done(step, said)
    except UserError as error:
        with suppress(MlflowException):
            book.failed(step, error.message)
        raise
    return said


def report(training: Training) -> Report:
    """By what MLflow knows: any process can tell it."""
    book, outline = training.book, training.pipeline.outline
    tags = book.tags
    failed = next((step for step in WORK if book.outcome(step) is None), None)
    if failed:
        outcome, why = FAILURE, tags.get(FAILED) or f"{failed}: it did not come to its end"
    elif training.decision.promotes:
        outcome, why = PROMOTED, f"{tags[BECAUSE]}; {book.outcome(WORK[-1])}"
    else:
        outcome, why = UNCHANGED, tags[BECAUSE]
    measured = book.kept(EVALUATION) if DECISION in tags else {}
    return Report(
        run=tags[TRAINING],
        pipeline=outline.name,
        model=training.model,
        outcome=outcome,
        why=why,
        data=tags.get(DATA, ""),
        rows=tags.get(ROWS, ""),
        version=tags.get(VERSION, ""),
        decision=tags.get(DECISION, ""),
        deployment=tags.get(follow.SERVED, ""),
        metric=measured.get("metric", ""),
        metrics=measured.get("candidate", {}),
        champion=tags.get(steps.CHAMPION, "").replace(steps.NONE, ""),
        champion_metrics=measured.get("champion", {}),
        mlflow_run=book.id,
        link=link(book),
    )


def link(book: Book) -> str:
    """The run's page in MLflow, where MLflow has pages."""
    server = os.environ.get(PAGES) or mlflow.get_tracking_uri()
    if not server.startswith("http"):
        return ""
    return f"{server.rstrip('/')}/#/experiments/{book.run.info.experiment_id}/runs/{book.id}"

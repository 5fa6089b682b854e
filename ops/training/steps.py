"""The steps of a training up to the alias, each of which reads what the one before it left in MLflow.

Every one may be run again: it asks MLflow what is there already, and adds nothing that is. So a kill at any point costs
the step that was under way, and no version is registered twice.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import mlflow.pyfunc
import numpy
from mlflow import MlflowClient
from mlflow.entities.model_registry import ModelVersion
from mlflow.exceptions import MlflowException

from ops import store
from ops.errors import UserError
from ops.rollout import settings
from ops.training import address, judge, logged
from ops.training.book import PIPELINE, TRAINING, Book, first_line
from ops.training.judge import Decision
from ops.training.pipeline import Pipeline

EVALUATION = "training/evaluation.json"
DATA, ROWS, MODEL, VERSION = "slipway.data", "slipway.rows", "slipway.model", "slipway.version"
CHAMPION, DECISION, BECAUSE = "slipway.champion", "slipway.decision", "slipway.because"
NONE = "none"


@dataclass(frozen=True)
class Training:
    """One run of a pipeline. `data` is where its table is, None for the pipeline's own."""

    pipeline: Pipeline
    book: Book
    data: str | None = None
    say: Callable[[str], None] = lambda _: None

    @property
    def model(self) -> str:
        return self.pipeline.outline.model

    @property
    def decision(self) -> Decision:
        """Raises `NotDoneError`."""
        return Decision(self.book.need(DECISION, "evaluate"))


def validate(training: Training) -> str:
    """Reads the table once, checks it, and keeps both sides of it: what comes later sees no newer row."""
    pipeline = training.pipeline
    data = training.data or address.given(pipeline.outline.name)
    training.say("reading the table")
    table = pipeline.table
    rows = table.checked(pipeline.load(data))
    split = table.split(rows)
    training.say("keeping what was read")
    training.book.keep_rows("train", split.trained)
    training.book.keep_rows("held_back", split.held_back)
    known = address.shown(data) if data else "the pipeline's own data"
    training.book.tell({DATA: known, ROWS: str(len(rows))})
    return f"{len(rows)} rows of {known}, {len(split.held_back)} held back"


def train(training: Training) -> str:
    pipeline, book = training.pipeline, training.book
    book.need(ROWS, "validate")
    features, target = pipeline.table.apart(book.rows("train"))
    training.say(f"training on {len(features)} rows")
    model = pipeline.train(features, target)
    training.say("logging the model")
    book.tell({MODEL: logged.log(pipeline, book, model, features)})
    return f"{type(model).__name__} on {len(features)} rows"


def evaluate(training: Training) -> str:
    """Candidate and champion as they are served, by MLflow's own interface, on the rows that were held back."""
    pipeline, book = training.pipeline, training.book
    model = book.need(MODEL, "train")
    features, target = pipeline.table.apart(book.rows("held_back"))
    training.say("evaluating the candidate")
    candidate = mlflow.pyfunc.load_model(model)
    measured = pipeline.evaluate(candidate, features, target, "the candidate")
    asked = pipeline.outline
    improvement = store.outputs().get("delivery", {}).get("improvement", 0.0)
    rule = judge.rule(measured, asked.metric, asked.direction, improvement if asked.margin is None else asked.margin)
    found = champion_of(training)
    before: dict[str, float] = {}
    same = False
    if found is not None:
        training.say(f"evaluating the champion, version {found.version}")
        champion = _loaded(f"models:/{training.model}/{found.version}")
        before = pipeline.evaluate(champion, features, target, f"the champion, version {found.version}")
        judge.rule(before, rule.metric, rule.direction, rule.margin)
        same = _same(candidate.predict(features), champion.predict(features))
    decision, why = judge.decide(rule, measured[rule.metric], before.get(rule.metric), same_answers=same)
    if found is not None and found.tags.get(PIPELINE) != pipeline.outline.name:
        why += f" (version {found.version} was not trained by this pipeline, and may know the rows held back)"
    for name, value in measured.items():
        book.client.log_metric(book.id, name, value)
    book.keep(EVALUATION, {"candidate": measured, "champion": before, "metric": rule.metric, "rows": len(features)})
    book.tell({CHAMPION: str(found.version) if found else NONE, DECISION: decision, BECAUSE: why})
    return why


def register(training: Training) -> str:
    """The version, with its golden set; none for a candidate that is the champion over again."""
    book, pipeline = training.book, training.pipeline
    if training.decision is Decision.EQUAL:
        return "nothing: it is equal to the champion"
    if (known := version_of(training)) is None:
        features, target = pipeline.table.apart(book.rows("held_back"))
        rows = logged.keep_golden(book, features, target)
        training.say(f"registering it, with {rows} golden rows")
        known = _registered(training)
    book.tell({VERSION: str(known.version)})
    return f"{training.model} version {known.version}"


def promote(training: Training) -> str:
    """Moves the alias, if it is still where it was when both were compared. Raises `UserError`."""
    if not training.decision.promotes:
        return f"nothing: {training.book.tags[BECAUSE]}"
    version, alias = training.book.need(VERSION, "register"), settings.current().alias
    now = champion_of(training)
    if now is not None and str(now.version) == version:
        return f"{alias} is at version {version}"
    before = training.book.need(CHAMPION, "evaluate")
    if before != (str(now.version) if now else NONE):
        is_at = f"version {now.version}" if now else "no version"
        raise UserError(
            f"{alias} is at {is_at} now, and the candidate was compared with {before}",
            "somebody moved it meanwhile: train again",
        )
    training.book.client.set_registered_model_alias(training.model, alias, version)
    return f"{alias} moved to version {version}"


def champion_of(training: Training) -> ModelVersion | None:
    """The version that carries the stack's alias now."""
    client, alias = training.book.client, settings.current().alias
    known = client.search_registered_models(filter_string=f"name = '{training.model}'")
    if not known or alias not in known[0].aliases:
        return None
    return client.get_model_version(training.model, known[0].aliases[alias])


def version_of(training: Training) -> ModelVersion | None:
    """What this run has registered already, also when it was killed before it could write that down."""
    return registered_by(training.book.client, training.model, training.book.id)


def registered_by(client: MlflowClient, model: str, run_id: str) -> ModelVersion | None:
    found = client.search_model_versions(f"name = '{model}' and run_id = '{run_id}'")
    return min(found, key=lambda each: int(each.version), default=None)


def _registered(training: Training) -> ModelVersion:
    book = training.book
    source = book.need(MODEL, "train")
    if not book.client.search_registered_models(filter_string=f"name = '{training.model}'"):
        book.client.create_registered_model(training.model)
    return book.client.create_model_version(
        training.model,
        source,
        run_id=book.id,
        tags={TRAINING: book.tags[TRAINING], PIPELINE: training.pipeline.outline.name},
        description=f"{book.tags[BECAUSE]}. Trained on {book.tags[ROWS]} rows of {book.tags[DATA]}.",
        model_id=source.removeprefix("models:/"),
    )


def _loaded(model: str) -> Any:
    try:
        return mlflow.pyfunc.load_model(model)
    except (MlflowException, OSError, ImportError) as error:
        raise UserError(
            f"the champion cannot be loaded to be compared with: {first_line(error)}",
            "it needs the packages that it was logged with; or take the alias from it",
        ) from error


def _same(ours: Any, theirs: Any) -> bool:
    """Numbers to seven digits: a library's next version may round otherwise."""
    one, other = numpy.asarray(ours), numpy.asarray(theirs)
    if one.shape != other.shape:
        return False
    if all(numpy.issubdtype(each.dtype, numpy.number) for each in (one, other)):
        return bool(numpy.allclose(one, other, rtol=1e-7, atol=0))
    return bool(numpy.array_equal(one.astype(object), other.astype(object)))

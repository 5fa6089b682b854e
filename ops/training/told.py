"""The end of a training: its verdict in MLflow, and what a chat is told of it, once."""

from ops import notify
from ops.notify import Message
from ops.rollout.told import compared
from ops.training.book import TAG_CHARACTERS
from ops.training.runner import FAILURE, PROMOTED, Report, report
from ops.training.steps import Training

TOLD = "slipway.told"
"""Tag: the verdict that was told. A run that fails and is brought to its end later is told of twice."""
HEADINGS = {
    PROMOTED: "{pipeline}: version {version} of {model} takes over",
    FAILURE: "{pipeline}: the training failed",
}
OTHERWISE = "{pipeline}: {model} stays as it is"


def end(training: Training) -> str:
    """The run's verdict, in MLflow and in the chat; who was told. Raises `UserError` when the chat could not be."""
    told = report(training)
    training.book.end(well=told.outcome != FAILURE)
    mark = f"{told.outcome}: {told.why}"[:TAG_CHARACTERS]
    if training.book.tags.get(TOLD) == mark:
        return "told already"
    host = notify.send(message(told))
    training.book.tell({TOLD: mark})
    return f"{host} was told" if host else "nobody is to be told"


def message(told: Report) -> Message:
    about = {"pipeline": told.pipeline, "model": told.model, "version": told.version}
    champion = f"version {told.champion}" if told.champion else ""
    facts = {
        "outcome": told.outcome,
        "why": told.why,
        "metrics": compared(told.metrics, told.champion_metrics),
        "trained on": f"{told.rows} rows of {told.data}" if told.rows else "",
        "champion before": champion,
        "candidate": f"version {told.version}" if told.version else "",
        "deployment": told.deployment,
        "run": told.run,
    }
    return Message(HEADINGS.get(told.outcome, OTHERWISE).format(**about), facts, told.link)

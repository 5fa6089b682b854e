"""Whether a candidate takes the champion's place: by one metric, on the same rows, and by how much. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from ops.errors import UserError
from ops.training.outline import Direction

KNOWN: Mapping[Direction, frozenset[str]] = {
    "lower": frozenset({"rmse", "mse", "mae", "mape", "loss", "log_loss", "error", "error_rate", "brier"}),
    "higher": frozenset({"accuracy", "balanced_accuracy", "precision", "recall", "f1", "auc", "roc_auc", "r2"}),
}


class Decision(StrEnum):
    FIRST = "first"
    """There is no champion to compare with."""
    BETTER = "better"
    EQUAL = "equal"
    NOT_BETTER = "not better"

    @property
    def promotes(self) -> bool:
        return self in (Decision.FIRST, Decision.BETTER)


@dataclass(frozen=True)
class Rule:
    """`margin`: by how much more than nothing it must be better, in the metric's own unit."""

    metric: str
    direction: Direction
    margin: float


def rule(metrics: Mapping[str, float], metric: str | None, direction: Direction | None, margin: float) -> Rule:
    """What the pipeline leaves open, from what it measures. Raises `UserError`."""
    name = metric or next(iter(metrics))
    if name not in metrics:
        raise UserError(f"evaluate gives no {name}", f"METRIC is one of: {', '.join(metrics)}")
    found = direction or next((each for each, names in KNOWN.items() if name.lower() in names), None)
    if found is None:
        raise UserError(f"whether a higher {name} is better is not known", "write DIRECTION = 'higher' or 'lower'")
    return Rule(name, found, margin)


def decide(rule: Rule, candidate: float, champion: float | None, *, same_answers: bool) -> tuple[Decision, str]:
    """And why, in words. `same_answers`: whether both predict the same for every row that was held back."""
    if champion is None:
        return Decision.FIRST, f"{rule.metric} {candidate:g}, and there is no champion to compare with"
    gain = champion - candidate if rule.direction == "lower" else candidate - champion
    both = f"{rule.metric} {candidate:g}, the champion's is {champion:g}"
    if same_answers:
        return Decision.EQUAL, f"the candidate is equal to the champion: the same answers, {rule.metric} {candidate:g}"
    if gain > rule.margin:
        return Decision.BETTER, both
    asked = f", and must be better by more than {rule.margin:g}" if rule.margin and gain > 0 else ""
    return Decision.NOT_BETTER, f"{both}{asked or ': not better'}"

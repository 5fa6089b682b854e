"""Whether a model is served compiled, and why: decided once, when a deployment is made, and written in its manifest.

So every node serves alike, and none spends time on it. Standard library only: also the server's master reads it.
"""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

Kind = Literal["native", "compiled"]
Feed = Literal["matrix", "columns", "texts"]

MODEL = "model.onnx"


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """How the compiled model stands in for the original: after `prefix` steps of the original's pipeline, fed one
    matrix of float32, one tensor for each column, or one column of texts."""

    prefix: int
    feed: Feed


@dataclass(frozen=True, kw_only=True)
class Decision:
    """`largest_difference` is relative, over `rows_checked` rows; `speed` is the original's time over the compiled
    model's, by the number of rows in a batch, known where it was measured only. `digest` names the folder of
    `model.onnx` among the models."""

    kind: Kind
    reason: str
    largest_difference: float | None = None
    tolerance: float | None = None
    rows_checked: int = 0
    speed: dict[str, float] = field(default_factory=dict)
    seconds: float = 0.0
    versions: dict[str, str] = field(default_factory=dict)
    recipe: Recipe | None = None
    digest: str | None = None


def native(reason: str, **facts: Any) -> Decision:
    return Decision(kind="native", reason=reason, **facts)


NEVER_TRIED = native("its deployment was made without trying to compile it")


def place(models: Path, decision: Decision | None) -> Path | None:
    """The compiled model, where one is to be served."""
    return models / decision.digest / MODEL if decision and decision.digest else None


def from_manifest(item: dict[str, Any]) -> Decision | None:
    """What a model's entry says of it; None where it was made before this was part of a manifest.

    Raises LookupError, TypeError or ValueError for what cannot be that.
    """
    if (found := item.get("compiled")) is not None:
        recipe = Recipe(prefix=int(found["prefix"]), feed=found["feed"])
        return Decision(kind="compiled", recipe=recipe, digest=str(found["digest"]), **_facts(found))
    if (found := item.get("native")) is not None:
        return Decision(kind="native", **_facts(found))
    return None


def _facts(found: dict[str, Any]) -> dict[str, Any]:
    difference, tolerance = found.get("difference"), found.get("tolerance")
    return {
        "reason": str(found["reason"]),
        "largest_difference": None if difference is None else float(difference),
        "tolerance": None if tolerance is None else float(tolerance),
        "rows_checked": int(found.get("rows_checked", 0)),
    }

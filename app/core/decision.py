"""Whether a model is served compiled, why, and where that is written down: `<cache>/<model digest>-<release>/`.

Standard library only: a start that finds everything decided must not wait for an import.
"""

import hashlib
import json
import shutil
import time
from collections.abc import Container
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

Kind = Literal["native", "compiled"]
Feed = Literal["matrix", "columns", "texts"]

FILE = "decision.json"
MODEL = "model.onnx"
PARTIAL = ".partial-"
ABANDONED_SECONDS = 3600


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """How `model.onnx` stands in for the original: after `prefix` steps of the original's pipeline, fed one matrix of
    float32, one tensor for each column, or one column of texts."""

    prefix: int
    feed: Feed
    sha256: str


@dataclass(frozen=True, kw_only=True)
class Decision:
    """`largest_difference` is relative, over `rows_checked` rows; `speed` is the original's time over the compiled
    model's, by the number of rows in a batch."""

    kind: Kind
    reason: str
    largest_difference: float | None = None
    tolerance: float | None = None
    rows_checked: int = 0
    speed: dict[str, float] = field(default_factory=dict)
    seconds: float = 0.0
    versions: dict[str, str] = field(default_factory=dict)
    recipe: Recipe | None = None


def native(reason: str, **facts: Any) -> Decision:
    return Decision(kind="native", reason=reason, **facts)


NEVER_TRIED = native("it has not been compiled")


def entry(cache: Path, model_digest: str, release: str) -> Path:
    return cache / f"{model_digest}-{release[:12]}"


def read(folder: Path) -> Decision | None:
    """None when nothing was decided, or when what was written cannot be read: it is then decided again."""
    try:
        content = json.loads((folder / FILE).read_text())
        recipe = content.pop("recipe")
        return Decision(kind=content.pop("decision"), recipe=Recipe(**recipe) if recipe else None, **content)
    except (OSError, ValueError, TypeError, LookupError, AttributeError):
        return None


def write(folder: Path, decision: Decision) -> None:
    content = asdict(decision)
    content["decision"] = content.pop("kind")
    (folder / FILE).write_text(json.dumps(content, indent=2, sort_keys=True) + "\n")


def settle(scratch: Path, place: Path) -> None:
    """The folder `scratch`, whole, becomes the entry `place`, unless somebody decided meanwhile: that may be in use."""
    if read(place) is None:
        shutil.rmtree(place, ignore_errors=True)
    try:
        scratch.rename(place)
    except OSError:  # it is not empty
        shutil.rmtree(scratch)


def digest(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()


def prune(cache: Path, models: Container[str], releases: Container[str] | None) -> list[Path]:
    """Removes the entries of models and releases (12 digits; None: all are there) that this node no longer has."""
    gone = []
    for path in cache.iterdir():
        if path.name.startswith(PARTIAL):
            is_old = time.time() - path.stat().st_mtime > ABANDONED_SECONDS
        else:
            model, _, release = path.name.rpartition("-")
            is_old = model not in models or (releases is not None and release not in releases)
        if is_old and path.is_dir():
            shutil.rmtree(path, ignore_errors=True)
            gone.append(path)
    return gone

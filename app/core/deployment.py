"""The deployment manifest as records: what this server must serve and how it proves that it does.

Its id is computed from the file's own bytes, which are canonical JSON: whoever copied it cannot have changed it unseen.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from app.core import decision as decisions
from app.core.decision import Decision
from app.core.errors import BadDeploymentError

SCHEMA = 1

T = TypeVar("T")


@dataclass(frozen=True, kw_only=True)
class Expected:
    """`input` is a JSON body of /invocations, `output` the JSON answer to it; numbers agree within `tolerance`."""

    input: Any
    output: Any
    tolerance: float


@dataclass(frozen=True, kw_only=True)
class Golden(Expected):
    """Many rows, and what is true of each of them where that is known."""

    targets: list[Any] | None


@dataclass(frozen=True, kw_only=True)
class ModelVersion:
    """One version of a registered model. `digest` is the sha256 of its tar and the name of its folder on the node."""

    name: str
    version: str
    run_id: str | None
    source: str | None
    digest: str
    default: bool
    expected: Expected | None  # None: it was logged without an input example, which the stack's settings allow
    golden: Golden | None = None
    decision: Decision | None = None  # whether it is served compiled
    alias: str | None = None  # by which it was chosen when the deployment was made; never looked up again
    metrics: Mapping[str, float] = field(default_factory=dict)  # that the run logged, for people

    @property
    def label(self) -> str:
        return f"{self.name}/{self.version}"

    @property
    def example(self) -> Any:
        """A body of /invocations to show people; an empty one where the deployment has none."""
        return self.expected.input if self.expected else {}

    @property
    def unchecked(self) -> list[str]:
        """What neither this server nor the gate could look at, for lack of evidence in the deployment."""
        found = [] if self.expected else ["whether it answers rightly: it has no input example"]
        return found if self.golden else [*found, "more than its input example: its run has no golden set"]


@dataclass(frozen=True, kw_only=True)
class Deployment:
    id: str
    release: str
    models: tuple[ModelVersion, ...]


def read(path: Path) -> Deployment:
    """Raises BadDeploymentError, naming the file and the key, for anything that is not a manifest of this schema."""
    try:
        content = path.read_bytes().strip()
        manifest = json.loads(content)
    except OSError as error:
        raise BadDeploymentError(f"{path}: the deployment manifest cannot be read: {error.strerror}") from error
    except ValueError as error:
        raise BadDeploymentError(f"{path}: the deployment manifest is not JSON: {error}") from error
    try:
        return _deployment(manifest, identify(content))
    except BadDeploymentError as error:
        raise BadDeploymentError(f"{path}: {error}") from error


def identify(canonical: bytes) -> str:
    """The id of a deployment: the first 12 hex digits of the sha256 of its canonical JSON."""
    return hashlib.sha256(canonical).hexdigest()[:12]


def _deployment(manifest: Any, deployment_id: str) -> Deployment:
    schema = _get(manifest, "schema", int)
    if schema != SCHEMA:
        raise BadDeploymentError(f"the manifest has schema {schema}, this release reads {SCHEMA}")
    models = tuple(_model(item) for item in _get(manifest, "models", list))
    labels = [model.name for model in models]
    twice = sorted({name for name in labels if labels.count(name) > 1})
    if twice:
        raise BadDeploymentError(f"the manifest lists more than one version of {', '.join(twice)}")
    if sum(model.default for model in models) > 1:
        raise BadDeploymentError("the manifest has more than one default model")
    return Deployment(id=deployment_id, release=_get(manifest, "release", str), models=models)


def _model(item: Any) -> ModelVersion:
    expected = _expected(item)
    return ModelVersion(
        name=_get(item, "name", str),
        version=str(_get(item, "version", object)),
        run_id=item.get("run_id"),
        source=item.get("source"),
        digest=_get(item, "digest", str),
        default=item.get("default") is True,
        expected=expected,
        golden=_golden(item),
        decision=_decision(item),
        alias=_get(item, "alias", str) if item.get("alias") is not None else None,
        metrics=_get(item, "metrics", dict) if item.get("metrics") is not None else {},
    )


def _decision(item: Any) -> Decision | None:
    try:
        return decisions.from_manifest(item)
    except (LookupError, TypeError, ValueError, AttributeError) as error:
        what = f"{type(error).__name__}: {error}"
        raise BadDeploymentError(f'"compiled" or "native" of {item.get("name")!r} cannot be read: {what}') from None


def _expected(item: Any) -> Expected | None:
    if (found := _answers(item, "expected")) is None:
        return None
    return Expected(input=found["input"], output=found["output"], tolerance=_tolerance(item, found))


def _answers(item: Any, key: str) -> dict[str, Any] | None:
    if item.get(key) is None:
        return None
    found = _get(item, key, dict)
    if missing := {"input", "output"} - found.keys():
        raise BadDeploymentError(f'the manifest lacks "{min(missing)}" in "{key}" of {item.get("name")!r}')
    return found


def _golden(item: Any) -> Golden | None:
    if (golden := _answers(item, "golden")) is None:
        return None
    return Golden(
        input=golden["input"],
        output=golden["output"],
        tolerance=_tolerance(item, golden),
        targets=_get(golden, "targets", list) if golden.get("targets") is not None else None,
    )


def _tolerance(item: Any, expected: Any) -> float:
    tolerance = expected.get("tolerance", 0.0)
    if isinstance(tolerance, bool) or not isinstance(tolerance, int | float) or not tolerance >= 0:
        raise BadDeploymentError(
            f'"tolerance" of {item.get("name")!r} is {tolerance!r}, expected a number of at least 0'
        )
    return float(tolerance)


def _get(mapping: Any, key: str, kind: type[T]) -> T:
    if not isinstance(mapping, Mapping):
        raise BadDeploymentError(f"the manifest has {type(mapping).__name__} where an object is expected")
    if not isinstance(value := mapping.get(key), kind) or value is None:
        raise BadDeploymentError(f'"{key}" in the manifest is {value!r}, expected {kind.__name__}')
    return value

"""What a deployment must show before any node is touched, compared with the one that is served.

`check` fetches, everything below it is pure. What a deployment took to answer when it was made lies beside its
manifest, not in it: the id of a deployment is that of its content, and no machine is twice equally fast.
"""

import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from contract import S3
from ops import integrity, signature
from ops.store import Store

Manifest = Mapping[str, Any]
Model = Mapping[str, Any]
GOAL_HIGHER = "higher"


class Bounds(Protocol):
    """What of the stack's settings is about candidates; `ops.rollout.settings.Delivery` has it."""

    @property
    def answer_milliseconds(self) -> int: ...
    @property
    def require_example(self) -> bool: ...
    @property
    def require_signature(self) -> bool: ...
    @property
    def metric(self) -> str | None: ...
    @property
    def metric_goal(self) -> str: ...
    @property
    def metric_margin(self) -> float: ...


@dataclass(frozen=True)
class Refusal:
    """Why a deployment may not be rolled out. `model` is name/version, empty when it is about the whole."""

    model: str
    reason: str

    def __str__(self) -> str:
        return f"{self.model}: {self.reason}" if self.model else self.reason


def check(store: Store, deployment_id: str, served_id: str | None, settings: Bounds) -> list[Refusal]:
    """Every reason not to roll out this deployment. Raises `UserError` when a manifest cannot be had."""
    with tempfile.TemporaryDirectory(prefix="slipway-candidate-") as folder:
        scratch = Path(folder)
        candidate = store.manifest(deployment_id)
        served = store.manifest(served_id) if served_id and served_id != deployment_id else {"models": []}
        found = list(_missing(store, candidate, scratch))
        measured = measurements(store, deployment_id)
    return [*found, *compare(candidate, served, measured, settings)]


def measurements(store: Store, deployment_id: str) -> dict[str, Any]:
    """By model: milliseconds for one row and for the golden set, as its maker measured them. Empty: nobody did."""
    found = store.read(measured_key(deployment_id))
    return found if isinstance(found, dict) else {}


def measured_key(deployment_id: str) -> str:
    return f"{S3.deployments}{deployment_id}.measured.json"


def compare(candidate: Manifest, served: Manifest, measured: Mapping[str, Any], settings: Bounds) -> list[Refusal]:
    """All that two manifests and a measurement can tell."""
    before = {model["name"]: model for model in served["models"]}
    found: list[Refusal] = []
    for model in candidate["models"]:
        was = before.get(model["name"])
        if was and (was["version"], was["digest"]) == (model["version"], model["digest"]):
            was = None  # the same version again: there is nothing to be worse than
        reasons = [
            *_evidence(model, settings),
            *_signature(model, was),
            *_latency(measured.get(label(model), {}), settings.answer_milliseconds),
            *_metric(model, was, settings),
        ]
        found += [Refusal(label(model), reason) for reason in reasons]
    return found


def unchecked(manifest: Manifest) -> list[str]:
    """What no gate can look at, for lack of evidence in the deployment."""
    found = []
    for model in manifest["models"]:
        if not model.get("expected"):
            found.append(f"{label(model)}: whether it answers rightly (it has no input example)")
        if not model.get("golden"):
            found.append(f"{label(model)}: more than its input example (its run has no golden set)")
        if not model.get("signature"):
            found.append(f"{label(model)}: whether its callers are served as before (it has no signature)")
    return found


def label(model: Model) -> str:
    return f"{model['name']}/{model['version']}"


def _missing(store: Store, candidate: Manifest, scratch: Path) -> Iterator[Refusal]:
    """The files that nodes will fetch are in the bucket and are what they are called."""
    wanted = [("", f"{S3.releases}{candidate['release']}.tar.zst", candidate["release"])]
    wanted += [(label(model), f"{S3.models}{model['digest']}.tar", model["digest"]) for model in candidate["models"]]
    for model, key, digest in wanted:
        if reason := integrity.wrong(store, key, digest, scratch):
            yield Refusal(model, reason)


def _evidence(model: Model, settings: Bounds) -> Iterator[str]:
    if settings.require_example and not model.get("expected"):
        yield "it has no input example: log it with input_example=… (or set delivery requireExample to false)"
    if settings.require_signature and not model.get("signature"):
        yield "it has no signature: log it with signature=… (or set delivery requireSignature to false)"


def _signature(model: Model, was: Model | None) -> Iterator[str]:
    if was is None or model.get("breaking"):
        return
    if changes := signature.breaking(was.get("signature"), model.get("signature")):
        yield (
            f"it breaks the callers of version {was['version']}: {'; '.join(changes)}. "
            "If that is meant, make the deployment with --breaking"
        )


def _latency(measured: Mapping[str, float], allowed: int) -> Iterator[str]:
    took = measured.get("row_ms")
    if took is not None and took > allowed:
        yield f"one row takes it {took:.0f} ms, at most {allowed} are allowed"
    rows, took = measured.get("golden_rows"), measured.get("golden_ms")
    if rows and took is not None and took / rows > allowed:
        yield f"a row of its golden set takes it {took / rows:.0f} ms, at most {allowed} are allowed"


def _metric(model: Model, was: Model | None, settings: Bounds) -> Iterator[str]:
    name = settings.metric
    if not name or was is None or (before := was.get("metrics", {}).get(name)) is None:
        return
    now = model.get("metrics", {}).get(name)
    if now is None:
        yield f"its run logged no {name}, by which it is compared with version {was['version']} ({before:g})"
        return
    loss = before - now if settings.metric_goal == GOAL_HIGHER else now - before
    if loss > settings.metric_margin:
        margin = f", by more than {settings.metric_margin:g}" if settings.metric_margin else ""
        yield f"its {name} is {now:g}, worse than the {before:g} of version {was['version']}{margin}"

"""What differs between two deployments: models, what their runs say, what callers see, and the packages."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ops import signature


@dataclass(frozen=True)
class Change:
    """`before` or `after` is empty for what is new or gone."""

    what: str
    name: str
    before: str
    after: str


def changes(
    before: Mapping[str, Any], after: Mapping[str, Any], packages: tuple[Mapping[str, str], Mapping[str, str]]
) -> list[Change]:
    """Between two manifests; `packages` are the versions in their releases."""
    found = [Change("release", "", before["release"][:12], after["release"][:12])]
    found = found if before["release"] != after["release"] else []
    found += mapped("package", "", *packages)
    old, new = ({model["name"]: model for model in manifest["models"]} for manifest in (before, after))
    for name in sorted({*old, *new}):
        found += _model(name, old.get(name), new.get(name))
    return found


def mapped(what: str, prefix: str, before: Mapping[str, Any], after: Mapping[str, Any]) -> Iterator[Change]:
    for name in sorted({*before, *after}):
        if before.get(name) != after.get(name):
            yield Change(what, f"{prefix}{name}", shown(before.get(name)), shown(after.get(name)))


def shown(value: Any) -> str:
    return "" if value is None else f"{value:g}" if isinstance(value, float) else str(value)


def _model(name: str, old: Mapping[str, Any] | None, new: Mapping[str, Any] | None) -> Iterator[Change]:
    if not old or not new:
        yield Change("model", name, _version(old), _version(new))
        return
    if _version(old) != _version(new):
        yield Change("model", name, _version(old), _version(new))
    if old.get("default") != new.get("default"):
        yield Change("default", name, "yes" if old.get("default") else "no", "yes" if new.get("default") else "no")
    yield from mapped("metric", f"{name} ", old.get("metrics", {}), new.get("metrics", {}))
    yield from mapped("parameter", f"{name} ", old.get("parameters", {}), new.get("parameters", {}))
    yield from mapped("requirement", f"{name} ", _pins(old.get("requirements", ())), _pins(new.get("requirements", ())))
    broken = set(signature.breaking(old.get("signature"), new.get("signature")))
    for change in signature.changes(old.get("signature"), new.get("signature")):
        yield Change("signature", name, "", change)
    for reason in sorted(broken):
        yield Change("breaking", name, "", reason)


def _version(model: Mapping[str, Any] | None) -> str:
    return f"{model['version']} ({model['digest'][:8]})" if model else ""


def _pins(requirements: Sequence[str]) -> dict[str, str]:
    pairs = (requirement.partition("==") for requirement in requirements)
    return {name: version or "any" for name, _, version in pairs}

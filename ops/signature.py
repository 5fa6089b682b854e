"""What a model's signature promises to its callers, and which changes of it would break them.

Judged from the caller's side: a request that the served version answers must be answered by the next one too, and its
answer must still have what the caller reads from it. A type that MLflow itself widens silently is no change.
"""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

Signature = Mapping[str, Any]
WIDER = {("integer", "long"), ("integer", "double"), ("float", "double")}


def read(files: Path) -> dict[str, Any] | None:
    """The signature of a logged model, its columns as lists; None when it has none."""
    try:
        stated = (yaml.safe_load((files / "MLmodel").read_text()) or {}).get("signature")
    except FileNotFoundError:
        return None
    if not stated:
        return None
    parts = {part: json.loads(stated[part]) for part in ("inputs", "outputs", "params") if stated.get(part)}
    return parts or None


def breaking(served: Signature | None, candidate: Signature | None) -> list[str]:
    """Each change by which the candidate would break a caller of what is served, in words."""
    if served is None:
        return []
    if candidate is None:
        return ["it has no signature any more"]
    found = list(_inputs(_columns(served, "inputs"), _columns(candidate, "inputs")))
    found += _outputs(_columns(served, "outputs"), _columns(candidate, "outputs"))
    found += _params(_columns(served, "params"), _columns(candidate, "params"))
    return found


def changes(before: Signature | None, after: Signature | None) -> list[str]:
    """Every difference, breaking or not, for people."""
    found = []
    for part in ("inputs", "outputs", "params"):
        old, new = _columns(before or {}, part), _columns(after or {}, part)
        noun = part.removesuffix("s")
        found += [f"{noun} {name}: removed" for name in old if name not in new]
        found += [f"{noun} {name}: new, {type_name(new[name])}{_wish(new[name])}" for name in new if name not in old]
        for name in old:
            if name in new and (was := _shown(old[name])) != (now := _shown(new[name])):
                found.append(f"{noun} {name}: {was} → {now}")
    return found


def _inputs(old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[str]:
    for name, column in old.items():
        if name not in new:
            yield f"input {name} is gone"
        elif not _accepts(new[name], column):
            yield f"input {name} was {type_name(column)} and is {type_name(new[name])}"
        elif _required(new[name]) and not _required(column):
            yield f"input {name} has become required"
    yield from (f"input {name} is new and required" for name in new if name not in old and _required(new[name]))


def _outputs(old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[str]:
    for name, column in old.items():
        if name not in new:
            yield f"output {name} is gone"
        elif not _accepts(column, new[name]):
            yield f"output {name} was {type_name(column)} and is {type_name(new[name])}"


def _params(old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[str]:
    for name, param in old.items():
        if name not in new:
            yield f"parameter {name} is gone"
        elif not _accepts(new[name], param):
            yield f"parameter {name} was {type_name(param)} and is {type_name(new[name])}"


def _columns(signature: Signature, part: str) -> dict[str, Any]:
    """By name; what has none, by its place."""
    return {str(column.get("name") or place): column for place, column in enumerate(signature.get(part) or [])}


def _accepts(taker: Mapping[str, Any], giver: Mapping[str, Any]) -> bool:
    """Whether who takes the one takes the other: the same type, a wider one, or a free dimension for a fixed one."""
    if taker.get("type") == giver.get("type") == "tensor":
        taken, given = taker["tensor-spec"], giver["tensor-spec"]
        pairs = zip(taken["shape"], given["shape"], strict=False)
        return (
            taken["dtype"] == given["dtype"]
            and len(taken["shape"]) == len(given["shape"])
            and all(wide in (-1, narrow) for wide, narrow in pairs)
        )
    if taker.get("shape") != giver.get("shape"):
        return False
    same = all(taker.get(key) == giver.get(key) for key in ("type", "items", "properties", "values"))
    return same or (giver.get("type"), taker.get("type")) in WIDER


def type_name(column: Mapping[str, Any]) -> str:
    kind = str(column.get("type", "?"))
    if kind == "tensor":
        spec = column["tensor-spec"]
        return f"tensor {spec['dtype']} {spec['shape']}"
    if kind == "array":
        return f"array of {type_name(column.get('items') or {})}"
    return kind


def _shown(column: Mapping[str, Any]) -> str:
    return type_name(column) + _wish(column)


def _wish(column: Mapping[str, Any]) -> str:
    return "" if _required(column) else ", optional"


def _required(column: Mapping[str, Any]) -> bool:
    return column.get("required", True) is not False

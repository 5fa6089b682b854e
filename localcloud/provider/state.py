"""What the engine keeps of a resource: AWS's answer, put into the words that the program used.

AWS returns lists in another order, policies in other spacing, and many values that nobody asked for. A value that
means the same keeps the program's form, so that a refresh without drift shows no change.
"""

from collections.abc import Mapping
from typing import Any

from localcloud.provider.check import DEFAULTS
from localcloud.provider.schema import Field, Fields, empty, same
from localcloud.provider.values import UNKNOWN


def settle(fields: Fields, read: Mapping[str, Any], prior: Mapping[str, Any]) -> dict[str, Any]:
    """The outputs: what was read, with local inputs kept and the prior form of what has not changed."""
    outputs = {key: value for key, value in read.items() if value is not None}
    for name, spec in fields.items():
        before = prior.get(name)
        if before is None or before is UNKNOWN:
            continue
        if (spec.local and name not in outputs) or (name in outputs and same(spec, outputs[name], before)):
            outputs[name] = _keep(spec, outputs.get(name), before)
        elif name not in outputs and same(spec, None, before):
            outputs[name] = before
        elif spec.kind == "block" and isinstance(before, Mapping) and isinstance(outputs.get(name), Mapping):
            outputs[name] = settle(spec.fields, outputs[name], before)
    return outputs


def _keep(spec: Field, read: Any, before: Any) -> Any:
    if spec.kind == "block" and isinstance(read, Mapping):
        return settle(spec.fields, read, before)
    if spec.kind == "list" and spec.item and spec.item.kind == "block" and isinstance(read, list):
        return [_keep(spec.item, _partner(spec, read, index, item), item) for index, item in enumerate(before)]
    return before


def _partner(spec: Field, read: list[Any], index: int, item: Any) -> Any:
    assert spec.item is not None
    if not spec.unordered:
        return read[index] if index < len(read) else None
    return next((other for other in read if spec.item and same(spec.item, other, item)), None)


def inputs_of(fields: Fields, outputs: Mapping[str, Any], prior: Mapping[str, Any]) -> dict[str, Any]:
    """The inputs that would give these outputs: those the program gave, and any that appeared without being asked."""
    inputs: dict[str, Any] = {DEFAULTS: prior.get(DEFAULTS, [])}
    for name, spec in fields.items():
        value = outputs.get(name)
        before = prior.get(name)
        if before is None and (spec.computed or empty(value) or value == spec.default):
            continue
        if value is None:
            if before is not None and same(spec, None, before):
                inputs[name] = before
            continue
        inputs[name] = _project(spec, value, before)
    return inputs


def _project(spec: Field, value: Any, before: Any) -> Any:
    if spec.kind == "block" and isinstance(value, Mapping):
        projected = inputs_of(spec.fields, value, before if isinstance(before, Mapping) else {})
        projected.pop(DEFAULTS)
        return projected
    if spec.kind == "list" and spec.item and isinstance(value, list):
        olds = before if isinstance(before, list) else []
        return [_project(spec.item, item, olds[i] if i < len(olds) else None) for i, item in enumerate(value)]
    return value

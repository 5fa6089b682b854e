"""Create, Read, Update and Delete of any type: the order of its handler's steps, and what state is told when one fails.

The rule is that nothing that exists is ever forgotten: once there is an id, a failure carries it to the engine.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from localcloud.provider.call import Call
from localcloud.provider.check import DEFAULTS
from localcloud.provider.diff import diff
from localcloud.provider.errors import gone, text
from localcloud.provider.resource import Resource
from localcloud.provider.state import inputs_of, settle
from localcloud.provider.values import UNKNOWN

Values = Mapping[str, Any]


class UnfinishedError(Exception):
    """The resource exists and is not what it should be. `outputs` is what it is now."""

    def __init__(self, id: str, outputs: dict[str, Any], reason: str) -> None:
        super().__init__(reason)
        self.id = id
        self.outputs = outputs


@dataclass(frozen=True)
class Read:
    id: str
    outputs: dict[str, Any]
    inputs: dict[str, Any]


def preview_create(resource: Resource, args: Values) -> dict[str, Any]:
    """The inputs, and everything else unknown."""
    given = _without_defaults(args)
    return {**dict.fromkeys((*resource.properties, "id"), UNKNOWN), **_absent(resource, given), **given}


def _absent(resource: Resource, given: Values) -> dict[str, Any]:
    return {name: None for name, spec in resource.fields.items() if name not in given and not spec.computed}


def create(resource: Resource, call: Call, args: Values) -> tuple[str, dict[str, Any]]:
    args = _without_defaults(args)
    call.creating = True
    id = resource.create(call, args)
    try:
        resource.configure(call, id, args)
        return id, _look(resource, call, id, args)
    except Exception as error:
        raise UnfinishedError(id, _last_known(resource, call, id, args), text(error)) from error


def read(resource: Resource, call: Call, id: str, state: Values, inputs: Values) -> Read | None:
    """None when it is gone. With no `state` this is an import."""
    try:
        found = resource.read(call, id, {**_without_defaults(inputs), **state, "id": id})
    except Exception as error:
        if gone(error):
            return None
        raise
    if found is None:
        return None
    outputs = settle(resource.fields, _complete(resource, call, found, inputs), {**inputs, **state})
    real = str(outputs.pop("id", id))
    return Read(real, outputs, inputs_of(resource.fields, outputs, inputs))


def preview_update(resource: Resource, old: Values, new: Values) -> dict[str, Any]:
    """What the update will leave: known inputs, what stays, and unknown what it may change."""
    given = _without_defaults(new)
    kept = {name: old.get(name) for name in resource.properties if name in resource.outputs}
    kept |= {name: old.get(name) for name, spec in resource.fields.items() if spec.computed}
    kept |= dict.fromkeys(resource.unsettled(diff(resource, old, new).changed), UNKNOWN)
    return {**kept, **given}


def update(resource: Resource, call: Call, id: str, old: Values, new: Values) -> dict[str, Any]:
    """Makes the differences so. Without any, completes what an earlier failure left unfinished."""
    args = _without_defaults(new)
    changed = diff(resource, old, new).changed
    try:
        if changed:
            resource.update(call, id, {**old, "id": id}, args, changed)
        else:
            resource.configure(call, id, args)
        return _look(resource, call, id, args)
    except Exception as error:
        known = {**args, **{name: old[name] for name, spec in resource.fields.items() if spec.local and name in old}}
        raise UnfinishedError(id, _last_known(resource, call, id, known, old), text(error)) from error


def delete(resource: Resource, call: Call, id: str, state: Values) -> None:
    try:
        resource.delete(call, id, {**state, "id": id})
    except Exception as error:
        if not gone(error):
            raise


def _look(resource: Resource, call: Call, id: str, args: Values) -> dict[str, Any]:
    found = resource.read(call, id, {**args, "id": id})
    if found is None:
        raise LookupError(f"{resource.token} {id} was made and cannot be found")
    return settle(resource.fields, _complete(resource, call, found, args), args)


def _last_known(resource: Resource, call: Call, id: str, args: Values, old: Values | None = None) -> dict[str, Any]:
    """What can be said of something unfinished: what AWS answers, else what was asked for or known before."""
    try:
        return _look(resource, call, id, args)
    except Exception:  # the failure that matters is being reported already
        return dict(old) if old is not None else dict(args)


def _complete(resource: Resource, call: Call, found: dict[str, Any], inputs: Values) -> dict[str, Any]:
    """Adds what every type has: region, and tags with and without the provider's defaults."""
    for name, spec in resource.fields.items():
        if spec.elsewhere and inputs and name not in inputs:
            found.pop(name, None)
    if resource.regional:
        found.setdefault("region", call.region)
    if "tagsAll" in resource.fields:
        everything = {key: value for key, value in (found.get("tagsAll") or {}).items() if not key.startswith("aws:")}
        own = inputs.get("tags") or {}
        defaults = call.cloud.default_tags
        found["tagsAll"] = everything
        found["tags"] = {k: v for k, v in everything.items() if k in own or defaults.get(k) != v}
    return found


def _without_defaults(values: Values) -> dict[str, Any]:
    return {key: value for key, value in values.items() if key != DEFAULTS}

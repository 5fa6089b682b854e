"""Diff: the state that AWS was last seen in, against what the program wants.

The old side is the outputs, which refresh keeps true, so that drift is a difference. A computed input that the
program leaves out is none.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from localcloud.provider.check import DEFAULTS
from localcloud.provider.resource import Resource
from localcloud.provider.schema import Field, Fields, empty, same, unmatched
from localcloud.provider.values import UNKNOWN, PropertyPath, render_path

Kind = Literal["ADD", "DELETE", "UPDATE"]


@dataclass(frozen=True)
class Change:
    path: PropertyPath
    kind: Kind
    replace: bool


@dataclass(frozen=True)
class Difference:
    changes: tuple[Change, ...] = ()
    replaces: tuple[str, ...] = ()
    delete_first: bool = False
    details: dict[str, Change] = field(default_factory=dict)

    @property
    def changed(self) -> frozenset[str]:
        return frozenset(str(change.path[0]) for change in self.changes)


def diff(resource: Resource, old: Mapping[str, Any], new: Mapping[str, Any]) -> Difference:
    changes = list(_fields(resource.fields, old, new, (), False))
    forced = {name for name in resource.replaces(old, new) if name in {change.path[0] for change in changes}}
    changes = [
        Change(change.path, change.kind, change.replace or change.path[0] in forced)
        for change in changes
        if change.path[0] != "tagsAll" or not any(other.path[0] == "tags" for other in changes)
    ]
    replaces = tuple(sorted({str(change.path[0]) for change in changes if change.replace}))
    return Difference(
        changes=tuple(changes),
        replaces=replaces,
        delete_first=bool(replaces) and _blocks_its_successor(resource, old, new),
        details={render_path(change.path): change for change in changes},
    )


def _blocks_its_successor(resource: Resource, old: Mapping[str, Any], new: Mapping[str, Any]) -> bool:
    """Whether the replacement would bear the name that the old resource still has."""
    if resource.delete_before_replace:
        return True
    named = [name for name, spec in resource.fields.items() if spec.autoname is not None]
    return any(name not in new.get(DEFAULTS, []) and old.get(name) == new.get(name) for name in named)


def _fields(
    fields: Fields, old: Mapping[str, Any], new: Mapping[str, Any], path: PropertyPath, replace: bool
) -> Iterator[Change]:
    for name, spec in fields.items():
        before, after = old.get(name), new.get(name)
        if after is None and (spec.computed or (spec.local and before is None)):
            continue
        yield from _value(spec, before, after, (*path, name), replace or spec.replace)


def _value(spec: Field, old: Any, new: Any, path: PropertyPath, replace: bool) -> Iterator[Change]:
    if same(spec, old, new):
        return
    if new is UNKNOWN or old is UNKNOWN:
        yield Change(path, "ADD" if old is None else "UPDATE", replace)
    elif empty(old) and not isinstance(new, bool):
        yield Change(path, "ADD", replace)
    elif empty(new) and not isinstance(old, bool):
        yield Change(path, "DELETE", replace)
    elif spec.kind == "block" and isinstance(old, Mapping) and isinstance(new, Mapping):
        yield from _fields(spec.fields, old, new, path, replace)
    elif spec.kind == "map" and isinstance(old, Mapping) and isinstance(new, Mapping):
        for key in sorted({*old, *new}):
            if old.get(key) != new.get(key):
                kind: Kind = "ADD" if key not in old else "DELETE" if key not in new else "UPDATE"
                yield Change((*path, key), kind, replace)
    elif spec.kind == "list" and isinstance(old, list) and isinstance(new, list):
        yield from _items(spec, old, new, path, replace)
    else:
        yield Change(path, "UPDATE", replace)


def _items(spec: Field, old: list[Any], new: list[Any], path: PropertyPath, replace: bool) -> Iterator[Change]:
    assert spec.item is not None
    if spec.unordered:
        removed, added = unmatched(spec, old, new)
        for index in sorted({*removed, *added}):
            kind: Kind = "UPDATE" if index in removed and index in added else "DELETE" if index in removed else "ADD"
            yield Change((*path, index), kind, replace)
        return
    for index in range(max(len(old), len(new))):
        before = old[index] if index < len(old) else None
        after = new[index] if index < len(new) else None
        found = list(_value(spec.item, before, after, (*path, index), replace))
        if not found and (before is None) != (after is None):
            found = [Change((*path, index), "ADD" if before is None else "DELETE", replace)]
        yield from found

"""The inputs of a resource type as data: what kind each is, what AWS accepts, and when a change means another resource.

A `Field` follows the meaning that the AWS provider gives its arguments: an absent optional equals its empty value, a
`computed` one that the program leaves out is AWS's to choose and never a difference.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from localcloud.provider.values import UNKNOWN, Asset

Kind = Literal["text", "integer", "number", "boolean", "list", "map", "block", "asset"]
Rule = Callable[[Any], str | None]
"""Says why a value would be refused, or None. It is never asked about an unknown value."""


@dataclass(frozen=True, kw_only=True)
class Autoname:
    """The name that Check makes up when the program gives none: logical name, separator, 7 hex digits.

    How long it may be is a rule of the field, as for a name that is given.
    """

    separator: str = "-"
    lower: bool = False


@dataclass(frozen=True, kw_only=True)
class Field:
    """One input.

    `local`: AWS never answers it, so what the state says is kept (passwords, `forceDestroy`).
    `elsewhere`: resources of other types may own it too (rules of a security group); it is read only when the program
    gives it here, so that they do not show as drift.
    `unordered`: a set. `equal`: two given values that mean the same (JSON documents).
    `aws`, `flag`: for `shape`: the name in the API where it is another one, and that "true" is a boolean there.
    """

    kind: Kind
    required: bool = False
    default: Any = None
    replace: bool = False
    computed: bool = False
    secret: bool = False
    local: bool = False
    elsewhere: bool = False
    unordered: bool = False
    item: "Field | None" = None
    fields: "Fields" = field(default_factory=dict)
    rules: tuple[Rule, ...] = ()
    autoname: Autoname | None = None
    equal: Callable[[Any, Any], bool] | None = None
    aws: str = ""
    flag: bool = False


Fields = Mapping[str, Field]


def text(*rules: Rule, **options: Any) -> Field:
    return Field(kind="text", rules=rules, **options)


def integer(*rules: Rule, **options: Any) -> Field:
    return Field(kind="integer", rules=rules, **options)


def number(*rules: Rule, **options: Any) -> Field:
    return Field(kind="number", rules=rules, **options)


def boolean(**options: Any) -> Field:
    return Field(kind="boolean", **options)


def flag(**options: Any) -> Field:
    """A boolean that the AWS provider spells as a string, because unset is a third state."""
    return Field(kind="text", rules=(_true_or_false,), flag=True, **options)


def _true_or_false(value: Any) -> str | None:
    return None if value in ("true", "false") else f"{value!r} is neither 'true' nor 'false'"


def asset(**options: Any) -> Field:
    """A `pulumi.Asset`; an archive is refused."""
    return Field(kind="asset", **options)


def texts(*rules: Rule, **options: Any) -> Field:
    """A list of strings; `rules` are for each of them. Pass `unordered=True` for a set."""
    return Field(kind="list", item=text(*rules), **options)


def mapping(*rules: Rule, **options: Any) -> Field:
    """A map of strings with keys of the user's own."""
    return Field(kind="map", item=text(*rules), **options)


def block(fields: Fields, **options: Any) -> Field:
    """A nested object."""
    return Field(kind="block", fields=fields, **options)


def blocks(fields: Fields, **options: Any) -> Field:
    """A list of nested objects. Pass `unordered=True` for a set."""
    return Field(kind="list", item=block(fields), **options)


def document(**options: Any) -> Field:
    """JSON text, compared by meaning."""
    from localcloud.provider.rules import json_document, same_json

    return Field(kind="text", rules=(json_document,), equal=same_json, **options)


TAGS: Fields = {"tags": mapping(), "tagsAll": mapping(computed=True)}
"""What every type with tags has. Handlers read `tagsAll`, in which Check has merged the provider's default tags."""

REGION: Fields = {"region": text(computed=True, replace=True)}


def replacing(fields: Fields) -> dict[str, Field]:
    """The same fields, a change of any of which means another resource."""
    return {name: replace(spec, replace=True) for name, spec in fields.items()}


def empty(value: Any) -> bool:
    """Whether a value means the same as leaving it out."""
    return value is not UNKNOWN and (value is None or value in ("", False, 0) or value in ([], {}))


def same(spec: Field, one: Any, other: Any) -> bool:
    """Whether two values of a field mean the same to AWS."""
    if one is UNKNOWN or other is UNKNOWN:
        return one is other
    if spec.kind == "block":
        one, other = one or {}, other or {}
    elif empty(one) or empty(other):
        return empty(one) and empty(other)
    if spec.equal:
        return spec.equal(one, other)
    if isinstance(one, Asset) and isinstance(other, Asset):
        return one.hash == other.hash
    if spec.kind == "block" and isinstance(one, Mapping) and isinstance(other, Mapping):
        return all(
            (inner.computed and other.get(name) is None) or same(inner, one.get(name), other.get(name))
            for name, inner in spec.fields.items()
        )
    if spec.kind == "list" and isinstance(one, list) and isinstance(other, list):
        assert spec.item is not None
        if spec.unordered:
            return len(one) == len(other) and not _unmatched(spec.item, one, other)[1]
        return len(one) == len(other) and all(same(spec.item, a, b) for a, b in zip(one, other, strict=True))
    if spec.kind == "text":
        return as_text(one) == as_text(other)
    return bool(one == other)


def _unmatched(item: Field, olds: list[Any], news: list[Any]) -> tuple[list[int], list[int]]:
    left = list(range(len(olds)))
    surplus = []
    for index, new in enumerate(news):
        match = next((position for position in left if same(item, olds[position], new)), None)
        if match is None:
            surplus.append(index)
        else:
            left.remove(match)
    return left, surplus


def unmatched(spec: Field, olds: list[Any], news: list[Any]) -> tuple[list[int], list[int]]:
    """Of two sets, the positions of what only the old one holds, and of what only the new one holds."""
    assert spec.item is not None
    return _unmatched(spec.item, olds, news)


def as_text(value: Any) -> str:
    """A value where AWS wants a string: `True` is `true`, 8080 is `8080`."""
    return str(value).lower() if isinstance(value, bool) else str(value)

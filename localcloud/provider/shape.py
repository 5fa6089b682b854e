"""Structures that have the same shape in the program and in the API, but for the first letter and a few names."""

from collections.abc import Mapping
from typing import Any

from localcloud.provider.schema import Field, Fields


def name_of(name: str, spec: Field) -> str:
    return spec.aws or name[0].upper() + name[1:]


def camel(name: str) -> str:
    """`vpc_zone_identifier` as `vpcZoneIdentifier`: how the AWS provider's own names become Pulumi's."""
    first, *rest = name.split("_")
    return first + "".join(part.capitalize() for part in rest)


def to_aws(fields: Fields, values: Mapping[str, Any]) -> dict[str, Any]:
    """What is given of `fields`, as the API wants it. Absent stays absent."""
    return {
        name_of(name, spec): _out(spec, values[name])
        for name, spec in fields.items()
        if values.get(name) is not None and values[name] != ""
    }


def _out(spec: Field, value: Any) -> Any:
    if spec.flag:
        return value == "true"
    if spec.kind == "block":
        return to_aws(spec.fields, value)
    if spec.kind == "list" and spec.item:
        return [_out(spec.item, item) for item in value]
    return value


def from_aws(fields: Fields, answer: Mapping[str, Any]) -> dict[str, Any]:
    """What the API says of `fields`, as the program would say it."""
    found = {name: _in(spec, answer.get(name_of(name, spec))) for name, spec in fields.items()}
    return {name: value for name, value in found.items() if value is not None}


def _in(spec: Field, value: Any) -> Any:
    if value is None:
        return None
    if spec.flag:
        return "true" if value else "false"
    if spec.kind == "block":
        return from_aws(spec.fields, value)
    if spec.kind == "list" and spec.item:
        return [_in(spec.item, item) for item in value]
    return value

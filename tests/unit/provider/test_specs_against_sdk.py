"""Every resource type against the SDK that programs are written with: no name, kind or secret that it does not have."""

from collections.abc import Iterator, Mapping

import pytest

from localcloud.provider import registry
from localcloud.provider.resource import Resource
from localcloud.provider.schema import Field
from tests.unit.provider.sdk import Input, describe, inputs

COMPUTED_INPUTS = {"tagsAll"}  # Check's own; the program cannot give it

TYPES = [resource for name in registry.services() for resource in registry.service(name).values()]


def differences(fields: Mapping[str, Field], known: Mapping[str, Input], path: str = "") -> Iterator[str]:
    for name, field in fields.items():
        where = f"{path}{name}"
        if name in COMPUTED_INPUTS and not path:
            continue
        if name not in known:
            yield f"{where} is no input of the SDK"
            continue
        expected = known[name]
        if field.kind != expected.kind and {field.kind, expected.kind} != {"number", "integer"}:
            yield f"{where} is a {field.kind} here and a {expected.kind} in the SDK"
        if field.item and field.item.kind != expected.item:
            yield f"{where} holds {field.item.kind} here and {expected.item} in the SDK"
        inner = field.fields or (field.item.fields if field.item else {})
        if inner and expected.block:
            yield from differences(inner, inputs(expected.block), f"{where}.")
    for name, each in known.items():
        if each.required and name not in fields:
            yield f"{path}{name} is required by the SDK and missing here"
        elif each.required and not fields[name].required:
            yield f"{path}{name} is required by the SDK and optional here"


@pytest.mark.parametrize("resource", TYPES, ids=lambda resource: resource.token)
def test_inputs_are_those_of_the_sdk(resource: Resource) -> None:
    assert list(differences(resource.fields, describe(resource.token).inputs)) == []


@pytest.mark.parametrize("resource", TYPES, ids=lambda resource: resource.token)
def test_outputs_and_secrets_are_those_of_the_sdk(resource: Resource) -> None:
    known = describe(resource.token)
    assert set(resource.outputs) <= known.outputs, "an output that the SDK does not have is lost"
    have = {name for name in known.secrets if name in resource.properties}
    assert have == set(resource.secret_names), "secret in the SDK, and only that"


@pytest.mark.parametrize("resource", TYPES, ids=lambda resource: resource.token)
def test_the_region_is_a_property_exactly_where_the_sdk_has_it(resource: Resource) -> None:
    assert resource.regional == ("region" in describe(resource.token).inputs)

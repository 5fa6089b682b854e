"""What the installed SDK says of a resource type: inputs with their kinds, required ones, outputs, secrets."""

import importlib
import inspect
import re
import typing
from dataclasses import dataclass
from functools import cache
from typing import Any

import pulumi


@dataclass(frozen=True)
class Input:
    kind: str  # text, integer, number, boolean, list, map, block, asset
    required: bool
    item: str = ""
    block: type | None = None


@dataclass(frozen=True)
class Described:
    inputs: dict[str, Input]
    outputs: frozenset[str]
    secrets: frozenset[str]


SCALARS = {str: "text", int: "integer", float: "number", bool: "boolean"}


@cache
def describe(token: str) -> Described:
    _, path, name = token.split(":")
    module = importlib.import_module(f"pulumi_aws.{path.split('/')[0]}")
    resource = getattr(module, name)
    source = inspect.getsource(resource._internal_init)
    found = re.search(r"additional_secret_outputs=\[(.*?)\]", source)
    secrets = re.findall(r'"(\w+)"', found.group(1)) if found else []
    return Described(inputs(getattr(module, f"{name}Args")), frozenset(_names(resource)), frozenset(secrets))


def inputs(args: type) -> dict[str, Input]:
    """The inputs of an Args class, by the engine's names."""
    names = _python_names(args)
    parameters = inspect.signature(args.__init__).parameters
    module = vars(inspect.getmodule(args))
    hints = typing.get_type_hints(args.__init__, globalns={**vars(pulumi), **_types(args), **module})
    return {
        names[python]: _input(hints[python], parameter.default is inspect.Parameter.empty)
        for python, parameter in parameters.items()
        if python in names
    }


def _types(args: type) -> dict[str, Any]:
    module = importlib.import_module(args.__module__.rsplit(".", 1)[0])
    return {**vars(module), **vars(importlib.import_module(f"{module.__name__}._inputs"))}


def _python_names(kind: type) -> dict[str, str]:
    """Python's name of each property to the engine's. The getter decorator keeps it on the function."""
    found = {}
    for python, member in inspect.getmembers(kind, lambda member: isinstance(member, property)):
        found[python] = getattr(member.fget, "_pulumi_name", python)
    return found


def _names(kind: type) -> set[str]:
    return set(_python_names(kind).values())


def _input(hint: Any, required: bool) -> Input:
    kinds = [each for each in _unwrap(hint) if each is not type(None)]
    for each in kinds:
        origin = typing.get_origin(each)
        if origin is not None and issubclass(origin, typing.Sequence):  # type: ignore[arg-type]
            inner = _input(typing.get_args(each)[0], True)
            return Input("list", required, inner.kind, inner.block)
        if origin is not None:
            inner = _input(typing.get_args(each)[1], True)
            return Input("map", required, inner.kind)
    named = {each.__name__: each for each in kinds}
    blocks = [each for name, each in named.items() if name.endswith("Args") and hasattr(each, "__init__")]
    if blocks:
        return Input("block", required, block=blocks[0])
    if any(name in ("Asset", "Archive") for name in named):
        return Input("asset", required)
    for kind in (bool, int, float, str):
        if kind in kinds:
            return Input(SCALARS[kind], required)
    return Input("text", required)  # an enum


def _unwrap(hint: Any) -> list[Any]:
    """The alternatives in unions of unions; `Input[T]` is T, an awaitable of T, or an Output of T."""
    origin = typing.get_origin(hint)
    if origin is typing.Union or getattr(origin, "__name__", "") == "UnionType":
        return [inner for each in typing.get_args(hint) for inner in _unwrap(each)]
    if getattr(origin, "__name__", "") in ("Output", "Awaitable"):
        return []
    return [hint]

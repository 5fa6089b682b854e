"""What the installed SDK says of a resource type: inputs with their kinds, required ones, outputs, secrets."""

import ast
import importlib
import inspect
import re
import textwrap
from dataclasses import dataclass
from functools import cache
from typing import Any


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


SCALARS = {"str": "text", "int": "integer", "float": "number", "bool": "boolean"}


@cache
def describe(token: str) -> Described:
    _, path, name = token.split(":")
    module = importlib.import_module(f"pulumi_aws.{path.split('/')[0]}")
    resource = getattr(module, name)
    source = inspect.getsource(resource._internal_init)
    found = re.search(r"additional_secret_outputs=\[(.*?)\]", source)
    secrets = re.findall(r'"(\w+)"', found.group(1)) if found else []
    return Described(inputs(_arguments(resource, name)), frozenset(_names(resource)), frozenset(secrets))


def _arguments(resource: type, name: str) -> type:
    """The Args class of the resource itself: a nested block of another type may have the same name in the service."""
    home = vars(importlib.import_module(resource.__module__))
    found = home.get(f"{name}InitArgs") or home[f"{name}Args"]
    assert isinstance(found, type)
    return found


def inputs(args: type) -> dict[str, Input]:
    """The inputs of an Args class, by the engine's names."""
    names = _python_names(args)
    source = inspect.getsource(vars(args)["__init__"])
    signature = ast.parse(textwrap.dedent(source)).body[0]
    assert isinstance(signature, ast.FunctionDef)
    described = {}
    for parameter, default in zip(signature.args.kwonlyargs, signature.args.kw_defaults, strict=True):
        assert parameter.annotation is not None
        described[names[parameter.arg]] = _input(parameter.annotation, default is None, _types(args))
    return described


def _types(args: type) -> dict[str, Any]:
    service = importlib.import_module(args.__module__.rsplit(".", 1)[0])
    return {**vars(importlib.import_module(f"{service.__name__}._inputs")), **vars(service)}


def _python_names(kind: type) -> dict[str, str]:
    """Python's name of each property to the engine's. The getter decorator keeps it on the function."""
    found = {}
    for python, member in inspect.getmembers(kind, lambda member: isinstance(member, property)):
        found[python] = getattr(member.fget, "_pulumi_name", python)
    return found


def _names(kind: type) -> set[str]:
    return set(_python_names(kind).values())


def _input(annotation: ast.expr, required: bool, types: dict[str, Any]) -> Input:
    """`pulumi.Input[Optional[Sequence[pulumi.Input['XArgs']]]]` without its wrappers."""
    node, name = annotation, _name(annotation)
    while isinstance(node, ast.Subscript) and name in ("Input", "Optional"):
        node = node.slice
        name = _name(node)
    if isinstance(node, ast.Subscript) and name == "Union":
        assert isinstance(node.slice, ast.Tuple)
        node = node.slice.elts[0]
        name = _name(node)
    if isinstance(node, ast.Subscript) and name in ("Sequence", "Mapping"):
        inner = node.slice.elts[1] if isinstance(node.slice, ast.Tuple) else node.slice
        item = _input(inner, True, types)
        return Input("list" if name == "Sequence" else "map", required, item.kind, item.block)
    if name in SCALARS:
        return Input(SCALARS[name], required)
    if name.endswith("Args"):
        return Input("block", required, block=types[name])
    return Input("asset" if name in ("Asset", "Archive") else "text", required)  # else it is an enum


def _name(node: ast.expr) -> str:
    if isinstance(node, ast.Subscript):
        return _name(node.value)
    if isinstance(node, ast.Attribute):
        return node.attr
    return str(node.value) if isinstance(node, ast.Constant) else ast.unparse(node)

"""Check: coerces what the program gave, fills in defaults and names, and refuses what AWS would refuse.

`__defaults` in the checked inputs lists what was filled in, as the real provider does: a name that Check made up is
kept for as long as the program gives none.
"""

import difflib
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from localcloud.provider.schema import Autoname, Field, Fields, as_text
from localcloud.provider.tags import merged, tag_problems
from localcloud.provider.values import ASSET, UNKNOWN, Asset, PropertyPath, known, render_path

if TYPE_CHECKING:
    from localcloud.provider.functions import Function
    from localcloud.provider.resource import Resource

DEFAULTS = "__defaults"


@dataclass(frozen=True)
class Problem:
    path: str
    reason: str


@dataclass(frozen=True)
class Naming:
    """What the engine says about names: the logical one, its seed, and a proposal when the project configures one."""

    logical: str
    seed: bytes = b""
    proposed: str = ""
    disabled: bool = False


def check(  # noqa: PLR0917
    resource: "Resource",
    olds: Mapping[str, Any],
    news: Mapping[str, Any],
    naming: Naming,
    config: "Defaults",
    secrets: frozenset[PropertyPath] = frozenset(),
) -> tuple[dict[str, Any], list[Problem]]:
    """The inputs as the engine shall keep them, and every problem found in them."""
    problems: list[Problem] = []
    news = {key: value for key, value in news.items() if key not in (DEFAULTS, "__meta")}
    args = _fields(resource.fields, news, (), problems, resource.token)
    filled = _fill(resource.fields, args, olds, naming, problems)
    if "tagsAll" in resource.fields:
        args["tagsAll"] = merged(config.tags, args.get("tags"))
        problems += [Problem(path, reason) for path, reason in tag_problems(args["tagsAll"])]
    region = args.get("region")
    if region is not None and region is not UNKNOWN and region != config.region:
        problems.append(Problem("region", f"{region!r} is not the local cloud's region {config.region!r}"))
    if not problems:
        problems += [Problem(path, reason) for path, reason in resource.check(args)]
    args[DEFAULTS] = sorted(filled)
    hidden = {str(path[0]) for path in secrets} | set(resource.secret_names)
    return args, [_discreet(problem, hidden) for problem in problems]


def check_function(function: "Function", news: Mapping[str, Any]) -> tuple[dict[str, Any], list[Problem]]:
    """The arguments of a function, coerced and completed."""
    problems: list[Problem] = []
    args = _fields(function.inputs, news, (), problems, function.token)
    args |= {name: spec.default for name, spec in function.inputs.items() if name not in args and spec.default}
    return args, problems


def _discreet(problem: Problem, hidden: set[str]) -> Problem:
    """A reason quotes the value; a secret's must not."""
    root = problem.path.split(".")[0].split("[")[0]
    return Problem(problem.path, "AWS would refuse this secret value") if root in hidden else problem


@dataclass(frozen=True)
class Defaults:
    """What the provider's own configuration gives to every resource."""

    region: str
    tags: Mapping[str, str]


def _fields(
    fields: Fields, given: Mapping[str, Any], path: PropertyPath, problems: list[Problem], owner: str
) -> dict[str, Any]:
    args: dict[str, Any] = {}
    for name, value in given.items():
        spec = fields.get(name)
        if spec is None:
            problems.append(Problem(render_path((*path, name)), _unknown(name, fields, owner)))
        elif value is not None:
            args[name] = _value(spec, value, (*path, name), problems, owner)
    for name, spec in fields.items():
        if name not in args:
            if spec.required and spec.autoname is None:
                problems.append(Problem(render_path((*path, name)), f"{owner} requires it"))
            elif path and spec.default is not None:
                args[name] = spec.default
    return args


def _unknown(name: str, fields: Fields, owner: str) -> str:
    near = difflib.get_close_matches(name, fields, n=1)
    meant = f"; did you mean {near[0]!r}?" if near else ""
    return f"{owner} has no input {name!r} that the provider of the local cloud knows{meant}"


def _value(spec: Field, value: Any, path: PropertyPath, problems: list[Problem], owner: str) -> Any:
    if value is UNKNOWN:
        return value
    wrong = Problem(render_path(path), f"{value!r} is not a {spec.kind}")
    try:
        value = _coerce(spec, value)
    except (TypeError, ValueError, KeyError):
        problems.append(wrong)
        return value
    if spec.kind == "block":
        value = _fields(spec.fields, value, path, problems, owner)
    elif spec.kind == "list" and spec.item:
        value = [_value(spec.item, item, (*path, index), problems, owner) for index, item in enumerate(value)]
    elif spec.kind == "map" and spec.item:
        value = {key: _value(spec.item, item, (*path, key), problems, owner) for key, item in value.items()}
    if known(value):
        reasons = (rule(value) for rule in spec.rules)
        problems += [Problem(render_path(path), reason) for reason in reasons if reason]
    return value


def _coerce(spec: Field, value: Any) -> Any:
    kinds: dict[str, type | tuple[type, ...]] = {"list": list, "map": dict, "block": dict, "asset": Asset}
    expected = kinds.get(spec.kind)
    if expected is not None:
        if not isinstance(value, expected) or (isinstance(value, Asset) and value.kind != ASSET):
            raise TypeError(spec.kind)
        return value
    if isinstance(value, dict | list | Asset):
        raise TypeError(spec.kind)
    if spec.kind == "text":
        return as_text(value)
    if spec.kind == "boolean":
        return value if isinstance(value, bool) else {"true": True, "false": False}[str(value).lower()]
    if isinstance(value, bool):
        raise TypeError(spec.kind)
    number = float(value)
    if spec.kind == "integer" and not number.is_integer():
        raise ValueError(value)
    return int(number) if number.is_integer() else number


def _fill(
    fields: Fields, args: dict[str, Any], olds: Mapping[str, Any], naming: Naming, problems: list[Problem]
) -> set[str]:
    filled = set()
    for name, spec in fields.items():
        if name in args:
            continue
        if spec.autoname is not None and f"{name}Prefix" not in args:
            kept = olds.get(name) if name in olds.get(DEFAULTS, []) else None
            args[name] = kept or _name(spec.autoname, naming)
            filled.add(name)
            if not args[name]:
                problems.append(Problem(name, "is required, because the project turns automatic names off"))
            reasons = (rule(args[name]) for rule in spec.rules)
            advice = f"give a shorter logical name than {naming.logical!r}, or set {name!r}"
            problems += [Problem(name, f"{reason}: {advice}") for reason in reasons if reason]
        elif spec.default is not None:
            args[name] = spec.default
            filled.add(name)
    return filled


def _name(rule: Autoname, naming: Naming) -> str:
    if naming.disabled or naming.proposed:
        return naming.proposed
    suffix = hashlib.sha256(naming.seed + naming.logical.encode()).hexdigest()[:7]
    name = f"{naming.logical}{rule.separator}{suffix}"
    return name.lower() if rule.lower else name

"""What a pipeline's file says of itself, read without running it.

The scheduler reads these files every minute, in an environment that has neither scikit-learn nor MLflow. So a
constant is a plain value, written out. Standard library only.
"""

import ast
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, get_args

from ops.errors import UserError

VARIABLE = "SLIPWAY_PIPELINES"
FUNCTIONS = ("load", "train", "evaluate")
Direction = Literal["lower", "higher"]
MODEL = re.compile(r"[^@/'\"`]{1,250}")
HINT = "docs/pipelines.md shows what a pipeline's file has"


@dataclass(frozen=True)
class Outline:
    """A pipeline that can be run. What is None, its file leaves open."""

    name: str
    file: Path
    model: str
    schedule: str | None
    metric: str | None
    direction: Direction | None
    margin: float | None
    summary: str


@dataclass(frozen=True)
class Unusable:
    """A file that is no pipeline, and why."""

    name: str
    reason: str


def folder() -> Path:
    return Path(os.environ.get(VARIABLE) or Path(__file__).resolve().parents[2] / "pipelines")


def all_of(place: Path | None = None) -> Iterator[Outline | Unusable]:
    """Every file of the folder, by name; those that begin with `_` are no pipelines."""
    for file in sorted((place or folder()).glob("[!_]*.py")):
        try:
            yield read(file)
        except UserError as error:
            yield Unusable(file.stem, error.message)


def find(name: str) -> Outline:
    """Raises `UserError` when there is none of this name, or when its file is not one."""
    place = folder()
    known = [file.stem for file in sorted(place.glob("[!_]*.py"))]
    if name not in known:
        raise UserError(f"there is no pipeline {name!r}", f"{place} has: {', '.join(known) or 'none'}")
    return read(place / f"{name}.py")


def read(file: Path) -> Outline:
    """Raises `UserError` for a file that cannot be read, lacks a function, or has a constant of a wrong kind."""
    label = f"pipelines/{file.name}"
    if not file.stem.isidentifier():
        raise UserError(f"{label} is no name of a pipeline", "use letters, digits and _")
    try:
        tree = ast.parse(file.read_text(), str(file))
    except (OSError, SyntaxError, ValueError) as error:
        raise UserError(f"{label} cannot be read: {error}", HINT) from None
    names = set(_bound(tree))
    if lacking := [each for each in FUNCTIONS if each not in names]:
        raise UserError(f"{label} has no function {' and no '.join(lacking)}", HINT)
    said = Constants(label, tree)
    summary = (ast.get_docstring(tree) or "").partition("\n")[0]
    return Outline(
        name=file.stem,
        file=file,
        model=said.model() or file.stem,
        schedule=said.text("SCHEDULE"),
        metric=said.text("METRIC"),
        direction=said.direction(),
        margin=said.amount("MARGIN"),
        summary=summary,
    )


class Constants:
    """The module's own constants, by their literal values."""

    def __init__(self, label: str, tree: ast.Module) -> None:
        self._label = label
        self._found = {name: node for each in tree.body for name, node in _assigned(each)}

    def text(self, name: str) -> str | None:
        value: str | None = self._value(name, (str,), "a text")
        return value

    def model(self) -> str | None:
        value = self.text("MODEL")
        if value is not None and not MODEL.fullmatch(value):
            raise self._wrong("MODEL", value, "the name of a model, without quotes, @ and /")
        return value

    def amount(self, name: str) -> float | None:
        value = self._value(name, (int, float), "a number, 0 or more")
        if value is not None and not 0 <= value < float("inf"):
            raise self._wrong(name, value, "a number, 0 or more")
        return None if value is None else float(value)

    def direction(self) -> Direction | None:
        value = self._value("DIRECTION", (str,), "'lower' or 'higher'")
        for known in get_args(Direction):
            if value == known:
                found: Direction = known
                return found
        if value is not None:
            raise self._wrong("DIRECTION", value, "'lower' or 'higher'")
        return None

    def _value(self, name: str, kinds: tuple[type, ...], wanted: str) -> Any:
        if name not in self._found:
            return None
        try:
            value = ast.literal_eval(self._found[name])
        except ValueError:
            raise self._wrong(name, ast.unparse(self._found[name]), f"{wanted}, written out") from None
        if value is None:
            return None
        if not isinstance(value, kinds) or isinstance(value, bool) or value == "":
            raise self._wrong(name, value, wanted)
        return value

    def _wrong(self, name: str, value: object, wanted: str) -> UserError:
        return UserError(f"{self._label}: {name} is {value!r}, and must be {wanted}", HINT)


def _assigned(node: ast.stmt) -> Iterator[tuple[str, ast.expr]]:
    if isinstance(node, ast.Assign):
        yield from ((target.id, node.value) for target in node.targets if isinstance(target, ast.Name))
    elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name) and node.value:
        yield node.target.id, node.value


def _bound(tree: ast.Module) -> Iterator[str]:
    """The names that the module's own lines give a meaning."""
    for node in tree.body:
        if isinstance(node, ast.FunctionDef):
            yield node.name
        elif isinstance(node, ast.Import | ast.ImportFrom):
            yield from (each.asname or each.name for each in node.names)
        yield from (name for name, _ in _assigned(node))

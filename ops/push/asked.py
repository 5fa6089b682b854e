"""What a pushed tree asks for: its `slipway.toml`, read strictly.

A key that nobody reads would look obeyed, so an unknown one refuses the push, and so does all else that is wrong, each
in a line of its own.
"""

import difflib
import tomllib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any

from packaging.requirements import InvalidRequirement, Requirement

from ops.errors import UserError
from ops.training import address

FILE = "slipway.toml"
HINT = "docs/push.md shows what slipway.toml may hold"


class UnusableError(UserError):
    """`problems` are all that is wrong, one line each."""

    def __init__(self, problems: list[str]) -> None:
        self.problems = problems
        super().__init__("; ".join(problems), HINT)


@dataclass(frozen=True)
class Train:
    """A model is trained by `pipeline`, a file of the tree, on `data`, without which the pipeline has its own."""

    pipeline: str
    data: str | None = None

    @property
    def files(self) -> tuple[str, ...]:
        return (self.pipeline,)

    @property
    def name(self) -> str:
        return PurePosixPath(self.pipeline).stem

    def __str__(self) -> str:
        return f"trains by {self.pipeline}"


@dataclass(frozen=True)
class Release:
    """A release with these modules of the tree and these packages, for what is served and these `models` besides."""

    modules: tuple[str, ...] = ()
    requirements: tuple[str, ...] = ()
    models: tuple[str, ...] = ()

    @property
    def files(self) -> tuple[str, ...]:
        return self.modules

    def __str__(self) -> str:
        return f"builds a release with {', '.join([*self.modules, *self.requirements]) or 'nothing of its own'}"


Asked = Train | Release


def parse(content: bytes) -> Asked:
    """Raises `UnusableError`."""
    try:
        found = tomllib.loads(content.decode())
    except UnicodeDecodeError:
        raise UnusableError([f"{FILE} is not UTF-8"]) from None
    except tomllib.TOMLDecodeError as error:
        raise UnusableError([f"{FILE} is no TOML: {error}"]) from None
    problems = [*_unknown(found, tuple(TABLES), "")]
    named = [name for name in TABLES if name in found]
    if len(named) != 1:
        both = "both [train] and [release]" if named else "neither [train] nor [release]"
        problems.append(f"{FILE} has {both}, and must have one of them")
    asked = None
    for name in named:
        table = found[name]
        if isinstance(table, dict):
            asked = TABLES[name](table, problems)
        else:
            problems.append(f"{FILE}: {name} is {table!r}, and must be a table: [{name}]")
    if problems or asked is None:
        raise UnusableError(problems)
    return asked


def _train(table: Mapping[str, Any], problems: list[str]) -> Train:
    problems += _unknown(table, ("pipeline", "data"), "train.")
    pipeline = _text(table, "train.pipeline", problems)
    if pipeline is None and "pipeline" not in table:
        problems.append(f"{FILE}: train.pipeline is missing: it is the pipeline's file, like pipelines/prices.py")
    if pipeline is not None:
        problems += _wrong_path("train.pipeline", pipeline)
        if not pipeline.endswith(".py") or not PurePosixPath(pipeline).stem.isidentifier():
            problems.append(
                f"{FILE}: train.pipeline is {pipeline!r}, and must be a Python file, like pipelines/prices.py"
            )
    data = _text(table, "train.data", problems)
    if data is not None:
        try:
            address.argument(data)
        except UserError:
            problems.append(f"{FILE}: train.data holds a password, and a repository is no place for one")
    return Train(pipeline or "", data)


def release(table: Mapping[str, Any], problems: list[str]) -> Release:
    """What is wrong with the table is added to `problems`, and then the answer is not to be used."""
    problems += _unknown(table, ("modules", "requirements", "models"), "release.")
    modules, requirements, models = (
        _texts(table, f"release.{name}", problems) for name in ("modules", "requirements", "models")
    )
    for module in modules:
        problems += _wrong_path("release.modules", module)
        if not PurePosixPath(module).name.removesuffix(".py").isidentifier():
            problems.append(f"{FILE}: release.modules has {module!r}, which cannot be imported")
    for requirement in requirements:
        try:
            wrong = Requirement(requirement).url
        except InvalidRequirement:
            wrong = requirement
        if wrong:
            problems.append(f"{FILE}: release.requirements has {requirement!r}, which no index of packages has")
    for model in models:
        name, separator, rest = model.replace("/", "@", 1).partition("@")
        if not (name and separator and rest):
            problems.append(f"{FILE}: release.models has {model!r}, and must have NAME@ALIAS or NAME/VERSION")
    if not (modules or requirements or models) and not problems:
        problems.append(f"{FILE}: [release] is empty: it has modules, requirements or models")
    return Release(modules, requirements, models)


TABLES: Mapping[str, Callable[[Mapping[str, Any], list[str]], Asked]] = {"train": _train, "release": release}


def _unknown(table: Mapping[str, Any], known: tuple[str, ...], prefix: str) -> Iterator[str]:
    for key in table:
        if key not in known:
            close = difflib.get_close_matches(key, known, 1)
            told = f"did you mean {prefix}{close[0]}?" if close else f"there is {', '.join(prefix + k for k in known)}"
            yield f"{FILE}: there is no {prefix}{key}: {told}"


def _text(table: Mapping[str, Any], key: str, problems: list[str]) -> str | None:
    name = key.rpartition(".")[2]
    if name not in table:
        return None
    value = table[name]
    if isinstance(value, str) and value:
        return value
    problems.append(f"{FILE}: {key} is {value!r}, and must be a text")
    return None


def _texts(table: Mapping[str, Any], key: str, problems: list[str]) -> tuple[str, ...]:
    value = table.get(key.rpartition(".")[2], [])
    if isinstance(value, list) and all(isinstance(each, str) and each for each in value):
        return tuple(value)
    problems.append(f"{FILE}: {key} is {value!r}, and must be a list of texts")
    return ()


def _wrong_path(key: str, path: str) -> Iterator[str]:
    parts = PurePosixPath(path).parts
    if path.startswith("/") or not parts or ".." in parts or parts[0] == ".git":
        yield f"{FILE}: {key} has {path!r}, and must be a path inside the repository"

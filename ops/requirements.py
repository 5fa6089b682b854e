"""Reads what MLflow logged a model with: its requirements, constraints and Python, whichever file says it.

MLflow infers requirements from what was imported when the model was logged. Test runners, consoles and installers come
into that list by themselves (scikit-learn's own helpers import pytest, skops looks for rich) and serve no prediction,
so they count for nothing here; a model that really needs one fails to load where its answers are computed.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml
from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name

IDLE = frozenset({"coverage", "debugpy", "ipykernel", "ipython", "pip", "pytest", "rich", "setuptools", "uv", "wheel"})
SAME = {"mlflow": "mlflow-skinny"}
"""What the server has under another name: the smaller package is the same code, version for version."""
PORTABLE = frozenset({"catboost", "lightgbm", "onnx", "xgboost"})
"""Flavours whose files are no pickles, so that any Python reads them."""
OPTION = re.compile(r"^(-\w|--[\w-]+)(?:[ =]+(.*))?$")
FROM_INDEX = ("-i", "--index-url", "--extra-index-url", "-f", "--find-links", "--no-index", "--trusted-host")
HOW = ("--pre", "--prefer-binary", "--no-binary", "--only-binary", "--use-feature", "--require-hashes")


@dataclass(frozen=True)
class Wanted:
    """What one model asks for. `python` is None when any will do; `refused` is what no index has, and why."""

    requirements: tuple[Requirement, ...] = ()
    constraints: tuple[Requirement, ...] = ()
    python: str | None = None
    refused: tuple[tuple[str, str], ...] = ()


@dataclass
class _Reading:
    folder: Path
    requirements: list[Requirement] = field(default_factory=list)
    constraints: list[Requirement] = field(default_factory=list)
    refused: list[tuple[str, str]] = field(default_factory=list)

    def lines(self, text: str, into: list[Requirement], depth: int = 0) -> None:
        for line in _logical(text):
            if option := OPTION.match(line):
                self._option(line, option[1], (option[2] or "").strip(), into, depth)
            else:
                self._requirement(line, into)

    def _option(self, line: str, name: str, value: str, into: list[Requirement], depth: int) -> None:
        if name in ("-r", "--requirement", "-c", "--constraint"):
            place = (self.folder / value).resolve()
            if depth > 3 or not place.is_relative_to(self.folder.resolve()) or not place.is_file():
                self.refused.append((line, "it names a file that is not logged with the model"))
                return
            target = self.constraints if name in ("-c", "--constraint") else into
            self.lines(place.read_text(), target, depth + 1)
        elif name not in FROM_INDEX + HOW:
            self.refused.append((line, "it names a place on the machine that logged it, not a package of an index"))

    def _requirement(self, line: str, into: list[Requirement]) -> None:
        line = re.sub(r"\s--hash=\S+", "", line).strip()
        try:
            parsed = Requirement(line)
        except InvalidRequirement:
            self.refused.append((line, "it names no package of an index"))
            return
        if parsed.url:
            self.refused.append((line, "it is fetched from a URL: publish it to an index and log the model with that"))
        elif canonicalize_name(parsed.name) not in IDLE:
            into.append(parsed)


def read(files: Path) -> Wanted:
    """What the model in this folder was logged with: `requirements.txt`, else its conda environment."""
    reading = _Reading(files)
    environment = _yaml(files / "conda.yaml")
    if (files / "requirements.txt").is_file():
        reading.lines((files / "requirements.txt").read_text(), reading.requirements)
    else:
        reading.lines("\n".join(_conda_pip(environment)), reading.requirements)
    about = _yaml(files / "MLmodel")
    python = _python(files, environment, about) if pickled(about) else None
    return Wanted(tuple(reading.requirements), tuple(reading.constraints), python, tuple(reading.refused))


def pickled(about: dict[str, Any]) -> bool:
    """Whether the model's files hold Python's own byte code or objects, which only the same Python surely reads."""
    flavors = about.get("flavors") or {}
    pyfunc = flavors.get("python_function") or {}
    if pyfunc.get("model_code_path"):  # the model is its source
        return False
    if "sklearn" in flavors:
        return bool(flavors["sklearn"].get("serialization_format") != "skops")
    return not PORTABLE & flavors.keys()


def text(requirement: Requirement) -> str:
    """As an index knows it: without the local part of a version, which only the machine that logged it has."""
    name = canonicalize_name(requirement.name)
    same = SAME.get(name)
    extras = f"[{','.join(sorted(requirement.extras))}]" if requirement.extras and not same else ""
    marker = f" ; {requirement.marker}" if requirement.marker else ""
    return f"{same or name}{extras}{public(str(requirement.specifier))}{marker}"


def public(specifier: str) -> str:
    return re.sub(r"\+[a-z0-9.]+", "", specifier, flags=re.IGNORECASE)


def _logical(content: str) -> Iterator[str]:
    """The lines of a requirements file: continued ones joined, comments and empty ones left out."""
    for line in re.sub(r"\\\r?\n", " ", content).splitlines():
        if stripped := re.sub(r"(^|\s)#.*$", "", line).strip():
            yield stripped


def _conda_pip(environment: dict[str, Any]) -> Iterator[str]:
    for entry in environment.get("dependencies") or []:
        if isinstance(entry, dict):
            yield from map(str, entry.get("pip") or [])


def _python(files: Path, environment: dict[str, Any], about: dict[str, Any]) -> str | None:
    if stated := _yaml(files / "python_env.yaml").get("python"):
        return str(stated)
    for entry in environment.get("dependencies") or []:
        if isinstance(entry, str) and (match := re.match(r"python\s*=+\s*([\d.]+)", entry)):
            return match[1]
    stated = ((about.get("flavors") or {}).get("python_function") or {}).get("python_version")
    return str(stated) if stated else None


def _yaml(file: Path) -> dict[str, Any]:
    try:
        found = yaml.safe_load(file.read_text())
    except (FileNotFoundError, yaml.YAMLError):
        return {}
    return found if isinstance(found, dict) else {}

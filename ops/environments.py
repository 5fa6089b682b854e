"""Whether a release has what a model was logged with, package by package. A mismatch is an error, never a warning.

Asked before the model is loaded for its answers: a model is known to answer rightly with the packages that it was
logged with, and one that is unpickled by another version often answers, wrongly.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from importlib.metadata import Distribution, distributions
from pathlib import Path

from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name
from packaging.version import Version

from ops import requirements
from ops.errors import UserError
from ops.requirements import Wanted

NODE_MARKERS = {
    "implementation_name": "cpython",
    "os_name": "posix",
    "platform_machine": "x86_64",
    "platform_python_implementation": "CPython",
    "platform_system": "Linux",
    "sys_platform": "linux",
}


@dataclass(frozen=True)
class Conflict:
    """`wanted` by `model`, and what the release has instead; empty where no release could, and `package` says why."""

    package: str
    wanted: str
    model: str
    has: str

    def __str__(self) -> str:
        if not self.has:
            return f"{self.model} wants {self.wanted}, which cannot be had: {self.package}"
        return f"{self.model} wants {self.wanted}, the release has {self.has}"


@dataclass(frozen=True)
class Packages:
    """What a release offers: versions by normal name, what each needs for its extras, and the nodes' Python."""

    versions: Mapping[str, str]
    python: str
    extras: Mapping[str, Mapping[str, Sequence[Requirement]]] = field(default_factory=dict)

    @property
    def markers(self) -> dict[str, str]:
        short = ".".join(self.python.split(".")[:2])
        full = self.python if self.python.count(".") > 1 else f"{self.python}.0"
        return {**NODE_MARKERS, "python_version": short, "python_full_version": full, "implementation_version": full}


def of_release(folder: Path) -> Packages:
    """The packages of an unpacked release: what is installed in it, whatever its list says."""
    about = json.loads((folder / "release.json").read_text())
    found = list(distributions(path=[str(folder / "lib")]))
    versions: dict[str, str] = {canonicalize_name(each.name): each.version for each in found}
    extras: dict[str, dict[str, list[Requirement]]] = {canonicalize_name(each.name): _extras(each) for each in found}
    return Packages(versions or about["packages"], about["python"], extras)


def fit(label: str, files: Path, release: Path) -> tuple[Wanted, list[Conflict]]:
    """What the model in `files` wants, and what of it the unpacked release has not."""
    wanted = requirements.read(files)
    return wanted, conflicts(label, wanted, of_release(release))


def refusal(found: Sequence[Conflict]) -> UserError:
    """Each conflict by its name, and the way out."""
    lines = [str(conflict) for conflict in found]
    head = (
        lines[0] if len(lines) == 1 else "\n  ".join(["the release has not what the models were logged with:", *lines])
    )
    models = " ".join(f"--for {name}" for name in dict.fromkeys(conflict.model for conflict in found))
    if any(conflict.package == "python" for conflict in found):
        return UserError(head, "log the model with the nodes' Python, or in a format that is no pickle (skops)")
    if any(not conflict.has for conflict in found):
        return UserError(head, "log the model with pip_requirements=[…] that an index of packages has")
    return UserError(
        head, f"`slipway release {models}` builds a release that has it; `slipway promote --build` does both"
    )


def conflicts(label: str, wanted: Wanted, release: Packages) -> list[Conflict]:
    """Every requirement that the release does not meet, in the order in which the model lists them."""
    found = [Conflict(reason, repr(text), label, "") for text, reason in wanted.refused]
    found += _python(label, wanted, release)
    for each in wanted.requirements:
        found += _unmet(label, each, release)
    for each in wanted.constraints:
        if _name(each) in release.versions:
            found += _unmet(label, each, release)
    return list(dict.fromkeys(found))


def _python(label: str, wanted: Wanted, release: Packages) -> Iterator[Conflict]:
    """Pickles are read by the same minor version; the third part of it does not matter."""
    if wanted.python and wanted.python.split(".")[:2] != release.python.split(".")[:2]:
        yield Conflict("python", f"Python {wanted.python} (it is a pickle)", label, f"Python {release.python}")


def _unmet(label: str, wanted: Requirement, release: Packages, extra: str = "") -> Iterator[Conflict]:
    if wanted.marker and not wanted.marker.evaluate({**release.markers, "extra": extra}):
        return
    name = _name(wanted)
    version = release.versions.get(name)
    shown = f"{wanted.name}{_bracketed(wanted)}{wanted.specifier}"
    if version is None:
        yield Conflict(name, shown, label, f"no {name}")
        return
    if not meets(version, wanted.specifier):
        yield Conflict(name, shown, label, f"{name} {version}")
        return
    if name in requirements.SAME.values():  # the larger package's extras have no counterpart in the smaller one
        return
    for asked in sorted(wanted.extras):
        offered = release.extras.get(name, {})
        if canonicalize_name(asked) not in offered:
            yield Conflict(name, shown, label, f"{name} {version} without an extra {asked!r}")
        for each in offered.get(canonicalize_name(asked), ()):
            yield from _unmet(label, each, release, asked)


def meets(version: str, specifier: SpecifierSet) -> bool:
    """A local version (`2.1+cpu`) is the same release built elsewhere; a pre-release that is there counts."""
    plain = SpecifierSet(requirements.public(str(specifier)))
    return plain.contains(Version(version).public, prereleases=True)


def _name(requirement: Requirement) -> str:
    name = canonicalize_name(requirement.name)
    return requirements.SAME.get(name, name)


def _bracketed(requirement: Requirement) -> str:
    return f"[{','.join(sorted(requirement.extras))}]" if requirement.extras else ""


def _extras(installed: Distribution) -> dict[str, list[Requirement]]:
    """By extra: what it needs besides the package's own dependencies."""
    needed = [Requirement(line) for line in installed.requires or []]
    offered = installed.metadata.get_all("Provides-Extra") or []
    conditional = [each for each in needed if each.marker and "extra" in str(each.marker)]
    return {
        canonicalize_name(extra): [
            each
            for each in conditional
            if each.marker and each.marker.evaluate({"extra": extra}) and not each.marker.evaluate({"extra": ""})
        ]
        for extra in offered
    }

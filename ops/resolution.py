"""Finds packages that satisfy the server and every model that it is to serve, and builds the release that has them.

uv resolves for the nodes' Python and platform, with the lock's versions as preferences, so that nothing moves that need
not. Where no such set exists, uv says why, and who wants what is put beside it.
"""

import re
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name

from ops import packages, release, sources, uv
from ops.errors import UserError
from ops.node_python import Progress
from ops.release import Release
from ops.run import CommandError

SERVER = "the server"
UNSOLVABLE = "No solution found"
DRAWN = re.compile(r"[\u00b7\u00d7\u2500-\u257f\u25b6]")
"""The signs with which uv draws the tree of its reasons."""
WHEELLESS = re.compile(r"has no (usable )?wheels")


@dataclass(frozen=True)
class Wish:
    """What one model is to have, and the versions of whatever else it may have."""

    requirements: Sequence[str]
    constraints: Sequence[str] = ()


def build(wanted: Mapping[str, Wish], progress: Progress = lambda _: None, base: Path | None = None) -> Release:
    """The server release of this checkout with what these models (by name/version) want. Raises `UserError`.

    `base`: an unpacked release, whose code and packages take the place of the checkout's.
    """
    progress(f"resolving the packages of {', '.join(wanted)} together with the server's")
    return release.build("server", progress, resolve(wanted, base), base)


def resolve(wanted: Mapping[str, Wish], base: Path | None = None) -> str:
    """Pins with hashes, as pip reads them. Raises `UserError` that names the conflict."""
    uv.find()
    asked = {SERVER: Wish(sources.requires("server", base)), **wanted}
    with tempfile.TemporaryDirectory(prefix="slipway-resolve-") as folder:
        given, bounds, pins = (Path(folder) / name for name in ("wanted.in", "bounds.txt", "pins.txt"))
        given.write_text("".join(f"{line}\n" for wish in asked.values() for line in wish.requirements))
        bounds.write_text("".join(f"{line}\n" for wish in asked.values() for line in wish.constraints))
        # uv keeps the versions that it finds in its output
        pins.write_text(sources.pins(base) if base else packages.exported("server"))
        try:
            uv.run(command(given, bounds, pins), cwd=packages.CHECKOUT)
        except CommandError as error:
            raise explained(error, asked) from error
        return pins.read_text()


def command(given: Path, bounds: Path, pins: Path) -> list[str]:
    target = ["--python-version", packages.PYTHON_VERSION, "--python-platform", packages.PLATFORM]
    form = ["--generate-hashes", "--no-header", "--no-annotate", "--only-binary", ":all:", "--quiet"]
    return [
        "pip",
        "compile",
        str(given),
        "--constraint",
        str(bounds),
        "--output-file",
        str(pins),
        *target,
        *form,
    ]


def explained(error: CommandError, asked: Mapping[str, Wish]) -> UserError:
    """uv's own reason in one paragraph, and who wants each package that it names."""
    said = error.result.stderr
    if UNSOLVABLE not in said:
        return error
    reason = " ".join(DRAWN.sub(" ", said.partition(UNSOLVABLE)[2].partition(":")[2]).split()).split(" hint:")[0]
    if WHEELLESS.search(reason):
        nodes = f"Python {packages.PYTHON_VERSION}, {packages.PLATFORM}"
        head = f"a package has no wheel for the nodes ({nodes}), and none is built from its source:"
        hint = "log the model with a version that has wheels, or publish one to the index"
    else:
        head = "no set of packages satisfies the server and these models:"
        hint = "log the model with versions that the server can have too, or take out the other model"
    return UserError("\n  ".join([head, reason, *wishes(reason, asked)]), hint)


def wishes(reason: str, asked: Mapping[str, Wish]) -> list[str]:
    """`iris/1 wants numpy==1.26.4`, for each package that the reason names."""
    named = {canonicalize_name(word) for word in re.findall(r"[A-Za-z0-9][\w.-]*", reason)}
    found = []
    for who, wish in asked.items():
        for line in (*wish.requirements, *wish.constraints):
            try:
                known = canonicalize_name(Requirement(line).name) in named
            except InvalidRequirement:
                continue
            if known:
                found.append(f"{who} wants {line.split(';')[0].strip()}")
    return found

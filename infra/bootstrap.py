"""The first releases and the first deployment, as `make release` leaves them for the program to upload."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

DIGEST = re.compile(r"[0-9a-f]{64}")
OPTIONAL = ("jobs", "airflow", "training")
IDENTITY = re.compile(r"[0-9a-f]{12}")


@dataclass(frozen=True)
class Artifact:
    """`identity` is the digest of a release, or the id of a deployment."""

    identity: str
    file: Path


@dataclass(frozen=True)
class Bootstrap:
    """`architecture` is EC2's name of what the releases' compiled packages run on.

    `optional` are those of what is off by default: `make release` makes them once the settings turn it on.
    """

    server: Artifact
    control: Artifact
    optional: Mapping[str, Artifact]
    deployment: Artifact
    architecture: str

    @classmethod
    def read(cls, file: Path) -> "Bootstrap":
        data = json.loads(file.read_text())
        return cls(
            server=_artifact(data["server"], "digest", DIGEST),
            control=_artifact(data["control"], "digest", DIGEST),
            optional={kind: _artifact(data[kind], "digest", DIGEST) for kind in OPTIONAL if kind in data},
            deployment=_artifact(data["deployment"], "id", IDENTITY),
            architecture=data.get("architecture", "x86_64"),
        )

    @classmethod
    def missing(cls) -> "Bootstrap":
        nothing = Artifact("", Path())
        return cls(nothing, nothing, {}, nothing, "")


def _artifact(entry: dict[str, Any], key: str, pattern: re.Pattern[str]) -> Artifact:
    identity, file = entry[key], Path(entry["file"])
    if not pattern.fullmatch(identity):
        raise ValueError(f"{identity!r} is no {key}")
    if not file.is_file():
        raise FileNotFoundError(f"{file} does not exist")
    return Artifact(identity, file)

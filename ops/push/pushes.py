"""Each push as it is written down in the repository: who pushed what, all that was printed, and what became of it.

The process that decides writes it, so that it is there for whoever asks, also when the pusher has gone.
"""

import json
import os
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from ops.push.repository import NOTHING, SHORT, Repository

KEPT = 50
LIVE, REFUSED = "live", "refused"


@dataclass(frozen=True, kw_only=True)
class Push:
    """`outcome` is empty while it is under way, and stays so for one that was killed."""

    id: str
    new: str
    old: str
    by: str
    since: str
    outcome: str = ""
    why: str = ""

    @property
    def label(self) -> str:
        return f"the push of {self.new[:SHORT]} by {self.by}"

    @property
    def is_first(self) -> bool:
        return self.old == NOTHING


def folder(repository: Repository) -> Path:
    return repository.state / "pushes"


def log(repository: Repository, push: Push) -> Path:
    return folder(repository) / f"{push.id}.log"


def write(repository: Repository, push: Push) -> None:
    place = folder(repository)
    place.mkdir(parents=True, exist_ok=True)
    draft = place / f".{push.id}.{os.getpid()}"
    draft.write_text(json.dumps(asdict(push), indent=2) + "\n")
    draft.replace(place / f"{push.id}.json")


def read(repository: Repository, identity: str) -> Push:
    return Push(**json.loads((folder(repository) / f"{identity}.json").read_text()))


def newest_first(repository: Repository) -> Iterator[Push]:
    for file in sorted(folder(repository).glob("*.json"), reverse=True):
        yield read(repository, file.stem)


def ended(repository: Repository, push: Push, outcome: str, why: str) -> None:
    write(repository, replace(push, outcome=outcome, why=why))
    for old in sorted(folder(repository).glob("*.json"), reverse=True)[KEPT:]:
        old.with_suffix(".log").unlink(missing_ok=True)
        old.unlink(missing_ok=True)

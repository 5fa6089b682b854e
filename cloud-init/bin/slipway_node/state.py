"""What this node has promised to serve, on disk: written whole, synced and renamed, so that a crash leaves old or new.

`confirmed` survives a reboot. `provisional` serves until its deadline, `trial` runs beside `confirmed`, and both are
forgotten by a reboot.
`history` holds the deployments whose files are kept for a quick return, at most `keep`.
"""

import fcntl
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

from slipway_node.node import ActivationError

SCHEMA = 1
KEEP = 3


@dataclass(frozen=True)
class Placed:
    """A deployment in a slot. `deadline` is seconds since 1970, None when it was given none."""

    deployment: str
    slot: str
    deadline: float | None = None


@dataclass(frozen=True)
class Trial:
    """A candidate beside what is confirmed. It gets `percent` of the predictions; with 0, copies of them all. `since`
    is when it began, in seconds since 1970."""

    deployment: str
    slot: str
    percent: int
    deadline: float | None = None
    since: float = 0.0


@dataclass(frozen=True)
class State:
    confirmed: Placed | None = None
    provisional: Placed | None = None
    history: list[str] = field(default_factory=list)
    keep: int = KEEP
    trial: Trial | None = None

    @property
    def serving(self) -> Placed | None:
        return self.provisional or self.confirmed

    def with_confirmed(self, placed: Placed) -> "State":
        history = [placed.deployment, *(old for old in self.history if old != placed.deployment)]
        return replace(self, confirmed=replace(placed, deadline=None), provisional=None, history=history[: self.keep])


def load(path: Path) -> State:
    try:
        data = json.loads(path.read_text())
    except FileNotFoundError:
        return State()
    if data.pop("schema") != SCHEMA:
        raise ActivationError("usage", f"{path} is of another version of slipway-activate")
    placed = {key: Placed(**data[key]) if data[key] else None for key in ("confirmed", "provisional")}
    trial = Trial(**data["trial"]) if data.get("trial") else None
    return State(history=data["history"], keep=data.get("keep", KEEP), trial=trial, **placed)


def save(path: Path, state: State) -> None:
    write_whole(path, json.dumps({"schema": SCHEMA, **asdict(state)}, indent=2))


def write_whole(path: Path, text: str) -> None:
    """A crash leaves the old content or the new."""
    partial = path.with_name(f".{path.name}.partial")
    with partial.open("w") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    partial.replace(path)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """One activation at a time; the kernel drops a dead holder's lock. Raises `ActivationError` busy."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.with_name("lock").open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise ActivationError("busy", "another activation is under way on this node") from None
        yield

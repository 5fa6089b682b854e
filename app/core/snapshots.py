"""The folder in which every worker of a slot keeps its numbers, so that any of them can speak for all.

A worker renames its whole snapshot into place. When it has ended, the master adds its counters to `past.json` and
removes its file. Who reads takes the workers first and the past last: a worker that was folded in between is named in
the past, so it is counted once. The past of another deployment, or of an earlier boot, is not carried on.
"""

import json
import os
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

Series = dict[tuple[str, ...], list[float]]
Forget = Callable[[Series, float], None]

PAST = "past.json"
REMEMBERED = 256  # folded workers that the past names, for readers that listed them just before


@dataclass(frozen=True)
class Snapshot:
    """`number` is the worker's, unique in its master; `about` says who and how it is; `series` what it counted."""

    number: int
    about: dict[str, Any] = field(default_factory=dict)
    series: Series = field(default_factory=dict)


class Folder:
    def __init__(self, path: Path, subject: str, forget: Forget) -> None:
        """`subject` says what is counted and how: numbers of another subject are not these."""
        self.path, self._subject, self._forget = path, subject, forget

    def begin(self) -> None:
        """In the master, before any worker: what a master that was killed left behind is past."""
        self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
        series, _ = self._past()
        for path in self.path.glob("worker-*"):
            if (left := self._load(path)) is not None:
                add(series, left.series)
            path.unlink()
        self._save(series, [])

    def write(self, snapshot: Snapshot) -> None:
        self._replace(
            self._file(snapshot.number), {"number": snapshot.number, "about": snapshot.about}, snapshot.series
        )

    def fold(self, number: int, more: Series) -> None:
        """In the master, of a worker that has ended: its counters, and `more`, are past; its file goes away."""
        path = self._file(number)
        series, folded = self._past()
        if number not in folded:
            ended = self._load(path)
            add(series, ended.series if ended else {})
            add(series, more)
            self._save(series, [*folded, number][-REMEMBERED:])
        path.unlink(missing_ok=True)
        path.with_suffix(".new").unlink(missing_ok=True)

    def read(self) -> tuple[list[Snapshot], Series]:
        """The workers that live, and the sum of those that ended."""
        loaded = [self._load(path) for path in self.path.glob("worker-*.json")]
        past, folded = self._past()
        return [worker for worker in loaded if worker is not None and worker.number not in folded], past

    def _file(self, number: int) -> Path:
        return self.path / f"worker-{number}.json"

    def _past(self) -> tuple[Series, list[int]]:
        content = _read(self.path / PAST)
        if content is None or content["subject"] != self._subject:
            return {}, []
        return _decode(content["series"]), content["folded"]

    def _save(self, series: Series, folded: list[int]) -> None:
        self._forget(series, time.time())
        self._replace(self.path / PAST, {"folded": folded}, series)

    def _load(self, path: Path) -> Snapshot | None:
        content = _read(path)
        if content is None or content["subject"] != self._subject:
            return None
        return Snapshot(content["number"], content["about"], _decode(content["series"]))

    def _replace(self, path: Path, facts: dict[str, Any], series: Series) -> None:
        text = json.dumps({**facts, "subject": self._subject, "series": [[*item] for item in series.items()]})
        new = path.with_suffix(".new")
        new.write_text(text)
        os.replace(new, path)


def add(total: Series, more: Series) -> None:
    for key, numbers in more.items():
        mine = total.get(key)
        total[key] = numbers.copy() if mine is None else [a + b for a, b in zip(mine, numbers, strict=True)]


def summed(series: Iterable[Series]) -> Series:
    total: Series = {}
    for one in series:
        add(total, one)
    return total


def _read(path: Path) -> Any:
    """None when it is not there (any more), or is no whole JSON: then its writer never said it was."""
    try:
        return json.loads(path.read_text())
    except (FileNotFoundError, ValueError):
        return None


def _decode(series: list[tuple[list[str], list[float]]]) -> Series:
    return {tuple(key): numbers for key, numbers in series}

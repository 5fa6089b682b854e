"""Progress of long work: named steps, what each is doing, how long it took, and what to do when one fails.

On a terminal one live line shows the steps under way; elsewhere each event is a plain line, so that a log reads well.
Steps may run side by side in threads. Standard library only: the bootstrap uses it on bare Python.
"""

import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TextIO

from ops.errors import UserError

TAIL_LINES = 15
REFRESH_SECONDS = 0.5
PLAIN_PAUSE_SECONDS = 10.0
WIDTH = 110


class StepError(UserError):
    """A step that ended with a user's error: its name, the reason, and the end of the log that matters."""


@dataclass
class Step:
    """One step under way. `say` shows what it is doing, `log` names the file whose end explains a failure."""

    name: str
    board: "Steps"
    started: float = field(default_factory=time.monotonic)
    doing: str = ""
    outcome: str = ""
    log: Path | None = None
    _said: float = 0.0

    @property
    def seconds(self) -> float:
        return time.monotonic() - self.started

    def say(self, doing: str) -> None:
        """Shows `doing` at once on a terminal; in a log no more often than every ten seconds, after the first."""
        self.doing = doing
        now = time.monotonic()
        if not self.board.live and now - self._said >= PLAIN_PAUSE_SECONDS:
            self._said = now
            self.board.line(f"     {self.name}: {doing}")

    def done(self, outcome: str) -> None:
        """What to show beside the time when the step ends."""
        self.outcome = outcome


class Steps:
    """The board of all steps of one command. Times are wall-clock; `finished` keeps them in order for a table."""

    def __init__(self, out: TextIO | None = None) -> None:
        self.out = out or sys.stderr
        self.live = self.out.isatty()
        self.finished: list[tuple[str, float]] = []
        self.started = time.monotonic()
        self._running: list[Step] = []
        self._lock = threading.RLock()

    @contextmanager
    def step(self, name: str) -> Iterator[Step]:
        step = Step(name, self)
        with self._lock:
            self._running.append(step)
            first = len(self._running) == 1
        if self.live and first:
            threading.Thread(target=self._refresh, daemon=True).start()
        elif not self.live:
            self.line(f"...  {name}")
        try:
            yield step
        except BaseException as error:
            self._end(step, "FAIL" if isinstance(error, Exception) else "stop")
            if isinstance(error, UserError) and not isinstance(error, StepError):
                raise failure(step, error) from error
            raise
        self._end(step, "ok")

    def line(self, text: str) -> None:
        """A line that stays, above the live one."""
        with self._lock:
            self._clear()
            print(text, file=self.out, flush=True)

    def _end(self, step: Step, verdict: str) -> None:
        seconds = step.seconds
        with self._lock:
            self._running.remove(step)
            self.finished.append((step.name, seconds))
            self.line(f"{verdict:<4} {step.name:<34} {seconds:6.1f} s  {step.outcome}".rstrip())

    def _refresh(self) -> None:
        while True:
            with self._lock:
                if not self._running:
                    return
                text = " | ".join(f"{s.name} {s.seconds:.0f} s {s.doing}".rstrip() for s in self._running)
                self._clear()
                print(f"...  {text}"[:WIDTH], end="", file=self.out, flush=True)
            time.sleep(REFRESH_SECONDS)

    def _clear(self) -> None:
        if self.live:
            print("\r\033[K", end="", file=self.out)


def failure(step: Step, error: UserError) -> StepError:
    """The error that names the step and shows the end of its log."""
    lines = [f"{step.name}: {error.message}"]
    if step.log is not None:
        lines += [f"  last lines of {step.log}:", *tail(step.log)]
    told = StepError("\n".join(lines), error.hint or "run the same command again: it goes on from here")
    told.status = error.status
    return told


def tail(log: Path, count: int = TAIL_LINES) -> list[str]:
    """The last lines of a log, indented; one line that says so when there is no log."""
    try:
        lines = log.read_text(errors="replace").splitlines()
    except OSError as error:
        return [f"  | (no log: {error.strerror})"]
    return [f"  | {line}" for line in lines[-count:]]

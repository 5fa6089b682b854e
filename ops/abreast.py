"""Commands abreast, as many as the machine has cores: what each prints is kept apart and handed over whole at its end.

Each has a process group of its own, so that Ctrl-C reaches it once, through us, and it can end in order: a second one
would cut its clearing up short. Behind sudo it stays in ours, for we may send it nothing, and the terminal has to.
"""

import os
import selectors
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from ops.follow import bound

LOOK_SECONDS = 1.0


@dataclass(frozen=True)
class Job:
    name: str
    argv: tuple[str, ...]


@dataclass(frozen=True)
class Ended:
    name: str
    status: int
    seconds: float
    output: str


@dataclass
class Running:
    job: Job
    process: subprocess.Popen[bytes]
    output: Path
    started: float = field(default_factory=time.monotonic)

    def interrupt(self) -> None:
        with suppress(ProcessLookupError, PermissionError):
            if os.getpgid(self.process.pid) != os.getpgrp():
                os.killpg(self.process.pid, signal.SIGINT)

    def end(self) -> Ended:
        status, seconds = self.process.wait(), time.monotonic() - self.started
        return Ended(self.job.name, status, seconds, self.output.read_text(errors="replace"))


def abreast(
    jobs: Sequence[Job], width: int, on_end: Callable[[Ended], None], on_look: Callable[[Sequence[Running]], None]
) -> None:
    """Runs the jobs, `width` at a time, begun in their order; `on_look` is called about every second meanwhile.

    When it is interrupted, it passes that on, waits for all to end, hands over what they have said, and begins no more.
    """
    waiting = list(jobs)
    with tempfile.TemporaryDirectory(prefix="slipway-abreast-") as folder, selectors.DefaultSelector() as ends:
        running: list[Running] = []
        with _ended_together(running, on_end):
            while waiting or running:
                while waiting and len(running) < width:
                    running.append(_begun(waiting.pop(0), Path(folder), ends))
                on_look(running)
                for key, _ in ends.select(LOOK_SECONDS):
                    ends.unregister(key.fd)
                    os.close(key.fd)
                    running.remove(key.data)
                    on_end(key.data.end())


def _begun(job: Job, folder: Path, ends: selectors.BaseSelector) -> Running:
    file = folder / f"{job.name.replace('/', '-').replace(' ', '-')}.log"
    with file.open("wb") as output:
        process = subprocess.Popen(
            bound(job.argv, signal.SIGTERM),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            process_group=None if "sudo" in job.argv else 0,
        )
    found = Running(job, process, file)
    ends.register(os.pidfd_open(process.pid), selectors.EVENT_READ, found)
    return found


@contextmanager
def _ended_together(running: list[Running], on_end: Callable[[Ended], None]) -> Iterator[None]:
    try:
        yield
    except BaseException:
        for each in running:
            each.interrupt()
        while running:
            with suppress(KeyboardInterrupt):
                ended = running[0].end()
                del running[0]
                on_end(ended)
        raise

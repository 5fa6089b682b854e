"""Processes that take long or have the terminal: followed line by line, or attached. `ops.run` is for all others.

Standard library only: the bootstrap uses it on bare Python.
"""

import os
import shutil
import signal
import subprocess
import threading
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from ops.run import LAST_LINES, CommandError, Result, ended, not_started

GRACE_SECONDS = 60.0

_running: set[int] = set()


def follow(
    argv: Sequence[str | Path],
    on_line: Callable[[str], None],
    *,
    log: Path,
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
    timeout_seconds: float | None = None,
    hint: str = "",
) -> None:
    """Runs long work to its end, handing on each line that it prints (both streams) and keeping all in `log`.

    It has a session of its own, so that Ctrl-C reaches it once, through us, and it can end in order: a second signal
    makes `pulumi` drop what it is doing and forget what that made. When we are killed, the kernel interrupts it in our
    place, though with one signal for each of our threads. Raises `CommandError` as `run` does.
    """
    words = [str(word) for word in argv]
    log.parent.mkdir(parents=True, exist_ok=True)
    last: deque[str] = deque(maxlen=LAST_LINES)
    try:
        process = _started(words, env, cwd)
    except FileNotFoundError as error:
        raise not_started(words, cwd, error, hint) from None
    expired = threading.Event()
    _running.add(process.pid)
    try:
        with _limited(process, timeout_seconds, expired):
            _hand_on(process, log, last, on_line)
    finally:
        _running.discard(process.pid)
    if returncode := process.wait():
        reason = f"no end after {timeout_seconds:g} s" if expired.is_set() else ended(returncode)
        result = Result("".join(last), "", returncode)
        raise CommandError(words, result, f"{reason} (all it said is in {log})", hint)


def _started(words: list[str], env: Mapping[str, str] | None, cwd: Path | None) -> subprocess.Popen[str]:
    return subprocess.Popen(
        bound(words, signal.SIGINT),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        env={**os.environ, **env} if env else None,
        cwd=cwd,
        text=True,
        errors="replace",
        start_new_session=True,
    )


def bound(words: Sequence[str], number: signal.Signals) -> list[str]:
    """The command such that it gets the signal when the thread that starts it dies. Raises `FileNotFoundError`."""
    if shutil.which(words[0]) is None:
        raise FileNotFoundError(f"no such program: {words[0]}")
    return ["setpriv", "--pdeathsig", number.name.removeprefix("SIG"), "--", *words]


def interrupt_all() -> None:
    """Ctrl-C for what other threads follow: only the main thread gets it from Python."""
    for pid in list(_running):
        with suppress(ProcessLookupError):
            os.killpg(pid, signal.SIGINT)


def _hand_on(process: subprocess.Popen[str], log: Path, last: deque[str], on_line: Callable[[str], None]) -> None:
    assert process.stdout is not None
    with log.open("w") as file, process.stdout as output:
        try:
            for line in output:
                file.write(line)
                file.flush()
                last.append(line)
                on_line(line.rstrip("\n"))
        except BaseException:
            with _limited(process, 0, threading.Event()):
                file.writelines(output)
                process.wait()
            raise


@contextmanager
def _limited(process: subprocess.Popen[str], seconds: float | None, expired: threading.Event) -> Iterator[None]:
    """After `seconds` asks the process and its children to end, and after a while longer ends them."""

    def end(number: signal.Signals) -> None:
        expired.set()
        with suppress(ProcessLookupError):
            os.killpg(process.pid, number)

    timers: list[threading.Timer] = []
    if seconds is not None:
        timers = [
            threading.Timer(seconds, end, (signal.SIGINT,)),
            threading.Timer(seconds + GRACE_SECONDS, end, (signal.SIGKILL,)),
        ]
    for timer in timers:
        timer.daemon = True
        timer.start()
    try:
        yield
    finally:
        for timer in timers:
            timer.cancel()


def attached(argv: Sequence[str | Path], *, env: Mapping[str, str] | None = None, silent: bool = False) -> int:
    """Runs `argv` on this process's own terminal and returns its exit status. `silent`: it is given nothing to read.

    Ctrl-C reaches it from the terminal and is its to handle; a SIGTERM that we get is handed on, and when we are killed
    it gets one too (but not through sudo, which forgets that wish).
    """
    process = subprocess.Popen(
        bound([str(word) for word in argv], signal.SIGTERM),
        env={**os.environ, **env} if env else None,
        stdin=subprocess.DEVNULL if silent else None,
    )
    before = signal.signal(signal.SIGTERM, lambda *_: process.terminate())
    try:
        while True:
            try:
                return process.wait()
            except KeyboardInterrupt:
                continue
    finally:
        signal.signal(signal.SIGTERM, before)

"""Starting and stopping the daemon from outside, one at a time per checkout, and looking at it."""

import fcntl
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from localcloud import cleanup, doctor
from localcloud.balancer import publish
from localcloud.image import Image
from localcloud.state import Running, State, start_time
from ops.errors import UserError

DAEMON = [sys.executable, "-c", "from localcloud.daemon import main; raise SystemExit(main())"]
START_SECONDS = 60.0
STOP_SECONDS = 90.0

Say = Callable[[str], None]


def start(state: State, say: Say) -> Running:
    """Returns when the API answers. A running local cloud is kept. Clears what an earlier one left behind, and says so.

    Raises `UserError` when this host cannot, the image cannot be made, or the daemon ends.
    """
    doctor.require(state)
    state.create()
    with _alone(state, say):
        running = state.read()
        publish.check(running)
        if running and running.alive and running.ready:
            say(f"running already: API on 127.0.0.1:{running.api_port}")
            return running
        Image().ensure(say)
        if running and running.alive:
            _end(running, state, say)
        _clean(state, say)
        return _launch(state, say)


def stop(state: State, say: Say) -> None:
    """Ends the daemon and everything it made. Nothing running is fine; what cannot be removed is an error."""
    _root()
    state.create()
    with _alone(state, say):
        running = state.read()
        if running and running.alive:
            _end(running, state, say)
        else:
            say("not running")
        _clean(state, say)
        state.file.unlink(missing_ok=True)


def status(state: State) -> tuple[Running | None, bool]:
    """What the daemon says of itself, and whether it runs with every controller well."""
    running = state.read()
    if running is None or not running.alive:
        return None, False
    return running, running.ready and not any(running.controllers.values())


def running(state: State) -> Running:
    """The daemon, which must run."""
    found, _ = status(state)
    if found is None:
        raise UserError("the local cloud is not running", "python -m localcloud start")
    return found


def _launch(state: State, say: Say) -> Running:
    log = state.log("daemon")
    with log.open("ab") as output:
        process = subprocess.Popen(
            DAEMON,
            cwd=state.checkout,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    # Before it can say so itself: whoever comes after a start that was killed must find it.
    state.write(Running(pid=process.pid, started=start_time(process.pid), checkout_id=state.checkout_id))
    try:
        found = _ready(process, state)
    except KeyboardInterrupt:
        _abandon(process, state, say)
        raise
    if found:
        say(f"running: API on 127.0.0.1:{found.api_port}, logs in {log.parent}")
        return found
    _abandon(process, state, say)
    tail = "\n".join(f"  | {line}" for line in log.read_text(errors="replace").splitlines()[-15:])
    raise UserError(f"the local cloud did not start; the end of {log}:\n{tail}", "python -m localcloud doctor")


def _ready(process: subprocess.Popen[bytes], state: State) -> Running | None:
    """The daemon once its API answers; None when it has ended, or takes too long."""
    deadline = time.monotonic() + START_SECONDS
    while process.poll() is None and time.monotonic() < deadline:
        found = state.read()
        if found and found.pid == process.pid and found.ready:
            return found
        time.sleep(0.05)
    return None


def _abandon(process: subprocess.Popen[bytes], state: State, say: Say) -> None:
    process.kill()
    process.wait()
    _clean(state, say)
    state.file.unlink(missing_ok=True)


def _end(running: Running, state: State, say: Say) -> None:
    say("stopping machines and services")
    os.kill(running.pid, signal.SIGTERM)
    deadline = time.monotonic() + STOP_SECONDS
    while running.alive and time.monotonic() < deadline:
        time.sleep(0.05)
    if running.alive:
        say(f"process {running.pid} does not end by itself; killing it (see {state.log('daemon')})")
        os.kill(running.pid, signal.SIGKILL)
        time.sleep(0.2)


def _clean(state: State, say: Say) -> None:
    try:
        cleanup.clean(state, lambda text: say(f"clearing what is left over: {text}"))
    except ExceptionGroup as group:
        lines = [f"  {each.__notes__[-1]}: {each}" for each in group.exceptions]
        raise UserError("\n".join([str(group.message), *lines]), "end what uses it, and run the same again") from group


def _root() -> None:
    if os.geteuid() != 0:
        raise UserError("the local cloud needs root", "run it as root, or with sudo")


@contextmanager
def _alone(state: State, say: Say) -> Iterator[None]:
    """One start or stop at a time: the second waits, and then finds the work done."""
    with (state.folder / "control.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say("another start or stop is under way; waiting for it")
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield

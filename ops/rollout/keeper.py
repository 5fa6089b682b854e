"""Keeps a rollout's lock while its controller lives, and cleans up after one that died: `begin` starts it, detached.

It watches ansible-playbook itself, by pidfd, so that neither Ctrl-C nor SIGKILL leaves the lock held or a node
provisional for long. When the lock is lost instead, it ends the playbook: two rollouts never move nodes together.
"""

import os
import select
import signal
import subprocess
import sys
import time
from pathlib import Path

from ops import cache, store
from ops.errors import UserError
from ops.rollout import ending, reach, trial
from ops.rollout.history import History
from ops.rollout.lock import EXPIRY_SECONDS, RENEWAL_SECONDS, Lock, LostError, Owner
from ops.rollout.reach import Fleet
from ops.store import Store

CHECKOUT = Path(__file__).resolve().parents[2]
STOP_SECONDS = 10.0
FENCE_SECONDS = 3.0
"""A commit that had found the lock in order when it was fenced has moved the pointer by then."""
PLAYBOOK = (b"ansible-playbook", b"ansible.cli.playbook")


def start(rollout: str, controller: int) -> None:
    """Starts one that outlives this process, its terminal and its playbook."""
    log = cache.folder("rollouts") / f"{rollout}.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("a") as output:
        subprocess.Popen(
            [sys.executable, "-m", "ops.rollout.keeper", rollout, str(controller)],
            cwd=CHECKOUT,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )


def controller() -> int:
    """The ansible-playbook that this process runs below: the outermost, for its workers are forks of it. Without
    one, this process's parent."""
    found, pid = None, os.getppid()
    while pid > 1:
        if _is_playbook(pid):
            found = pid
        pid = _parent(pid)
    return found or os.getppid()


def _is_playbook(pid: int) -> bool:
    words = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
    return any(word.rsplit(b"/", 1)[-1] in PLAYBOOK for word in words[:4])


def _parent(pid: int) -> int:
    """https://man7.org/linux/man-pages/man5/proc_pid_stat.5.html: the name may hold anything, so count after it."""
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])


def keep(at: Store, fleet: Fleet, rollout: str, controller_pid: int) -> None:
    """Returns when the rollout has ended, in order or by this."""
    lock, history, renewed = Lock(at), History(at), time.monotonic()
    owner = lock.check(rollout)
    try:
        watched = os.pidfd_open(controller_pid)
    except ProcessLookupError:
        return _clean_up(at, fleet, owner, "whoever rolled it had ended")
    while True:
        gone = bool(select.select([watched], [], [], RENEWAL_SECONDS)[0])
        try:
            if gone:
                return (
                    None
                    if history.read(rollout)
                    else _clean_up(at, fleet, owner, "whoever rolled it ended in the middle")
                )
            owner = lock.renew(rollout)
            renewed = time.monotonic()
        except LostError as lost:
            if history.read(rollout):
                return None
            stop(watched)
            return _clean_up(at, fleet, owner, lost.message)
        except UserError as error:
            say(error.message)
            if time.monotonic() - renewed > EXPIRY_SECONDS and not gone:
                stop(watched)
                return _clean_up(at, fleet, owner, f"the lock could not be renewed: {error.message}")
            if gone:
                time.sleep(RENEWAL_SECONDS)


def stop(watched: int) -> None:
    """Ends the controller: as by Ctrl-C, and if that is not enough, for good."""
    for number in (signal.SIGINT, signal.SIGKILL):
        try:
            signal.pidfd_send_signal(watched, number)
        except ProcessLookupError:
            return
        if select.select([watched], [], [], STOP_SECONDS)[0]:
            return


def _clean_up(at: Store, fleet: Fleet, owner: Owner, why: str) -> None:
    """All nodes are what the pointer says, at once; those that cannot be told find out at their deadline.

    The lock is fenced first: what is left of the playbook can commit no more.
    """
    lock = Lock(at)
    say(f"{owner.rollout}: {why}")
    try:
        held = lock.fence(owner.rollout)
    except LostError:
        held = None
    else:
        time.sleep(FENCE_SECONDS)
    try:
        trial.clear(at)
    except UserError as error:
        say(error.message)
    left = ending.settle(fleet, lambda: lock.renew(held.rollout) if held else None)
    for node in left:
        say(f"{owner.rollout}: not settled: {node}")
    ending.write_interrupted(at, owner, f"{why}; {'the nodes settled' if not left else '; '.join(left)}")
    if held:
        lock.release(held.rollout)


def say(text: str) -> None:
    print(time.strftime("%Y-%m-%dT%H:%M:%S"), text, flush=True)


if __name__ == "__main__":
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    keep(store.current(), reach.current(), sys.argv[1], int(sys.argv[2]))

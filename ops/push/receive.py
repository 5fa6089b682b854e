"""git's hooks: `python -m ops.push.receive pre-receive|proc-receive`, in the repository that is pushed to.

The first refuses what can be refused at once, while the pushed objects are in git's quarantine and leave nothing. The
second begins the process that decides, and passes on what it prints. That process does not end with its pusher: a
rollout that is under way comes to its end, and the branch moves or stays with the fleet.
"""

import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO

from ops.errors import UserError
from ops.node_python import on_a_node
from ops.orders import giver
from ops.push import protocol, pushes
from ops.push.asked import Release, UnusableError
from ops.push.protocol import Command
from ops.push.pushes import LIVE, Push
from ops.push.repository import FORCED, NOTHING, OURS_TO_MOVE, SHORT, Repository
from ops.rollout.begin import operator

POLL_SECONDS = 0.2
DRAIN_SECONDS = 5.0


def refusals(repository: Repository, commands: Iterable[Command]) -> list[str]:
    """Why these may not even be tried, one line each."""
    if repository.setting(OURS_TO_MOVE) != repository.reference:
        return ["this repository's settings would move the branch without a rollout: `slipway push init` sets it up"]
    found: list[str] = []
    for command in commands:
        if command.reference != repository.reference:
            found.append(f"only {repository.branch} is taken here, not {command.reference}")
        elif command.new == NOTHING:
            found.append(f"{repository.branch} is what is live, and cannot be deleted")
        elif not repository.contains(command.new, command.old) and repository.setting(FORCED) == "true":
            found.append(f"it leaves out {command.old[:SHORT]}, which is live: merge it, or revert it by a commit")
        else:
            try:
                asked = repository.asked(command.new)
            except UnusableError as error:
                found += error.problems
            else:
                why = giver.refusal() if isinstance(asked, Release) and on_a_node() else ""
                found += [why] if why else []
    return found


def pre_receive(repository: Repository) -> int:
    found = refusals(repository, protocol.parsed(iter(sys.stdin)))
    for line in found:
        print(f"refused: {line}", flush=True)
    if found:
        print("nothing was changed; docs/push.md says what a push may hold", flush=True)
    return 1 if found else 0


def proc_receive(repository: Repository, source: BinaryIO, target: BinaryIO) -> int:
    """What is printed goes to the pusher, what is said to `target` is for git."""
    (command,) = protocol.greeted(source, target)  # the first hook lets no other through
    now = datetime.now(UTC)
    push = Push(
        id=f"{now:%Y%m%dT%H%M%S%f}-{command.new[:SHORT]}",
        new=command.new,
        old=command.old,
        by=operator(),
        since=now.isoformat(timespec="seconds"),
    )
    pushes.write(repository, push)
    follow(repository, push, begin(repository, push))
    ended = pushes.read(repository, push.id)
    why = (
        ended.why.partition("\n")[0] if ended.outcome else "it was ended in the middle; push again to go on from there"
    )
    protocol.report(target, command.reference, None if ended.outcome == LIVE else why)
    return 0


def begin(repository: Repository, push: Push) -> "subprocess.Popen[bytes]":
    """The process that decides, in a session of its own, with none of what git told this hook."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    with pushes.log(repository, push).open("wb") as output:
        return subprocess.Popen(
            [sys.executable, "-P", "-m", "ops.push.run", str(repository.folder), push.id],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            env={**environment, "PYTHONUNBUFFERED": "1"},
            start_new_session=True,
        )


def follow(repository: Repository, push: Push, process: "subprocess.Popen[bytes]") -> None:
    """Passes on what the process prints until it ends. A pusher who has gone reads nothing, and holds up nobody."""

    def copy() -> None:
        with pushes.log(repository, push).open("rb") as log:
            while True:
                ended = process.poll() is not None
                if text := log.read():
                    try:
                        os.write(sys.stderr.fileno(), text)
                    except OSError:
                        return
                elif ended:
                    return
                else:
                    time.sleep(POLL_SECONDS)

    copying = threading.Thread(target=copy, daemon=True)
    copying.start()
    process.wait()
    copying.join(DRAIN_SECONDS)


def main(hook: str) -> int:
    repository = Repository(Path(os.environ.get("GIT_DIR", ".")).resolve(), quarantined=hook == "pre-receive")
    try:
        if hook == "pre-receive":
            return pre_receive(repository)
        return proc_receive(repository, sys.stdin.buffer, sys.stdout.buffer)
    except UserError as error:
        print(f"slipway: {error}", file=sys.stderr, flush=True)
        return 1


if __name__ == "__main__":
    os._exit(main(sys.argv[1]))  # not by way of what still waits to write to a pusher who has gone

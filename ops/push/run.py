"""`python -m ops.push.run REPOSITORY ID`: one push at a time, from its tree to the end of its rollout.

It alone moves the branch, after the fleet has moved and under the lock, so that the branch says what is live. Its
pusher may go: nothing here reads from or waits for them.
"""

import signal
import sys
from functools import partial
from pathlib import Path

from ops.errors import UserError
from ops.lock import exclusive
from ops.push import kept, pushes, work
from ops.push.pushes import LIVE, REFUSED, Push
from ops.push.repository import SHORT, Repository
from ops.run import CommandError

say = partial(print, flush=True)


def main(repository: Repository, push: Push) -> int:
    """Exit status 1 for a push that was refused."""
    with exclusive(repository.state / "lock", push.label, waiting=say):
        try:
            why = perform(repository, push)
        except UserError as error:
            if not isinstance(error, work.ToldError):
                say(str(error))
            say(f"refused: {repository.branch} stays at {repository.tip()[:SHORT]}, and the fleet as it was")
            pushes.ended(repository, push, REFUSED, error.message)
            return 1
        pushes.ended(repository, push, LIVE, why)
        say(f"live: {why}")
        try:
            kept.keep(repository)
        except UserError as error:
            say(f"the repository could not be copied to the bucket, and the next push tries again: {error.message}")
    return 0


def perform(repository: Repository, push: Push) -> str:
    """What is live now, in words; the branch is at the commit then. Raises `UserError` when nothing has changed."""
    before = repository.tip()
    if before == push.new:
        raise UserError(f"{push.new[:SHORT]} was pushed by somebody else meanwhile, and is live", "`git fetch`")
    if before != push.old and not repository.contains(push.new, before):
        raise UserError(
            f"{repository.branch} has moved to {before[:SHORT]} meanwhile, which this leaves out",
            "`git fetch`, merge, and push again",
        )
    asked = repository.asked(push.new)
    say(f"{push.new[:SHORT]} {repository.subject(push.new)}: {asked}")
    with repository.tree(push.new) as tree:
        why = work.Work(repository, push, tree, say).do(asked)
    try:
        repository.move(push.new, before, why)
    except CommandError as error:
        raise UserError(f"{why}, and {repository.branch} was moved by somebody else: {error.reason}") from error
    return why


if __name__ == "__main__":
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    at = Repository(Path(sys.argv[1]))
    sys.exit(main(at, pushes.read(at, sys.argv[2])))
